import type { Clock } from '../../kernel/clock.ts';

/** Something that is asked for again when it is too old, or proves to be. */
export interface Remembered<T> {
  get(): Promise<T>;
  /** Asked anew, unless that was done within the shortest time. */
  getNewer(): Promise<T>;
}

/**
 * Keeps what `load` gives for `keptMs`; whoever asks meanwhile waits for the same answer. What is kept
 * stays when it cannot be loaded anew.
 */
export function remembered<T>(
  clock: Clock,
  load: () => Promise<T>,
  { keptMs, shortestMs }: { keptMs: number; shortestMs: number },
): Remembered<T> {
  let kept: { value: T; atTs: number } | null = null;
  let loading: Promise<T> | null = null;

  async function loadOnce(): Promise<T> {
    try {
      const value = await load();
      kept = { value, atTs: clock.now() };
      return value;
    } catch (error) {
      if (!kept) throw error;
      kept.atTs = clock.now();
      return kept.value;
    } finally {
      loading = null;
    }
  }

  const olderThan = async (ms: number) => {
    if (kept && clock.now() - kept.atTs < ms) return kept.value;
    return (loading ??= loadOnce());
  };
  return { get: () => olderThan(keptMs), getNewer: () => olderThan(shortestMs) };
}
