import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';

/** How long servers are left alone that did not answer. */
export interface BackOffOptions {
  /** After the first failure, milliseconds. */
  minMs: number;
  /** By how much it is longer after each further failure. */
  factor: number;
  maxMs: number;
}

/**
 * For requests that clients wait for: shorter than for what is sent without anybody waiting, so that
 * people see that a server is back.
 */
export const backOffForClients: BackOffOptions = { minMs: 5_000, factor: 2, maxMs: 5 * 60_000 };

/** Leaves servers alone that do not answer: each time for longer, and never all at one time. */
export interface BackOff {
  /** Milliseconds until the server may be asked again; 0: now. */
  waitMs(destination: string): number;
  failed(destination: string): void;
  succeeded(destination: string): void;
}

interface Failing {
  intervalMs: number;
  untilTs: number;
}

/** Servers whose failures are remembered. */
const destinationsMax = 10_000;
/** The interval is between this part and all of it, by chance: servers do not come back as a crowd. */
export const jitterMin = 0.7;

/** `random` gives numbers from 0 to 1, as `Math.random` does. */
export function createBackOff(
  { minMs, factor, maxMs }: BackOffOptions,
  clock: Clock,
  random: () => number = Math.random,
): BackOff {
  const failing = boundedCache<string, Failing>(destinationsMax);
  return {
    waitMs: (destination) => Math.max(0, (failing.get(destination)?.untilTs ?? 0) - clock.now()),
    failed(destination) {
      const before = failing.get(destination);
      const now = clock.now();
      // Requests that were under way together are one failure.
      if (before && before.untilTs > now) return;
      const intervalMs = Math.min(maxMs, before ? before.intervalMs * factor : minMs);
      const share = jitterMin + (1 - jitterMin) * random();
      failing.set(destination, { intervalMs, untilTs: now + Math.ceil(intervalMs * share) });
    },
    succeeded: (destination) => void failing.delete(destination),
  };
}

/** Leaves nobody alone: for requests that are rare, and about a server that has just been heard of. */
export const noBackOff: BackOff = {
  waitMs: () => 0,
  failed: () => undefined,
  succeeded: () => undefined,
};
