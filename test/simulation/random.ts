/** A generator of numbers that a seed decides (mulberry32), so that a failing schedule replays. */
export function randomFrom(seed: number) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return {
    /** Below `max`. */
    below: (max: number) => Math.floor(next() * max),
    chance: (probability: number) => next() < probability,
    pick: <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)]!,
  };
}

export type Random = ReturnType<typeof randomFrom>;

/** Seeds to try: `LATTICE_SEED` alone, to replay a failure, or so many. */
export function seeds(count: number): number[] {
  const given = process.env['LATTICE_SEED'];
  return given === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(given)];
}
