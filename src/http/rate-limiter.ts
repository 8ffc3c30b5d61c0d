import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { RateLimitClass } from './endpoint.ts';

/** A leaky bucket: so many at once, so many a second in the long run. */
export interface RateLimit {
  perSecond: number;
  burst: number;
}

export type RateLimits = Partial<Record<RateLimitClass, RateLimit | null>>;

/** Users and addresses whose use is remembered; the least recently seen are forgiven first. */
const keysMax = 100_000;

interface Bucket {
  level: number;
  ts: number;
}

export interface RateLimiter {
  /** Counts one use by `key`. Throws M_LIMIT_EXCEEDED with `retry_after_ms`. */
  take(limitClass: RateLimitClass, key: string): void;
  /** Whether a use would pass, without counting it. Throws M_LIMIT_EXCEEDED. */
  check(limitClass: RateLimitClass, key: string): void;
  /** Counts one use, whether or not it would pass. */
  count(limitClass: RateLimitClass, key: string): void;
}

export function createRateLimiter(limits: RateLimits, clock: Clock): RateLimiter {
  const buckets = boundedCache<string, Bucket>(keysMax);

  function use(
    limitClass: RateLimitClass,
    key: string,
    { isCounted, isRefused }: { isCounted: boolean; isRefused: boolean },
  ): void {
    const limit = limits[limitClass];
    if (!limit || limitClass === 'none') return;
    const now = clock.now();
    const name = `${limitClass} ${key}`;
    const bucket = buckets.get(name) ?? { level: 0, ts: now };
    // The clock may have been set back.
    const leaked = (Math.max(0, now - bucket.ts) / 1000) * limit.perSecond;
    const level = Math.max(0, bucket.level - leaked);
    if (isRefused && level + 1 > limit.burst) {
      const waitMs = Math.ceil(((level + 1 - limit.burst) / limit.perSecond) * 1000);
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too Many Requests', {
        extra: { retry_after_ms: waitMs },
      });
    }
    if (isCounted) buckets.set(name, { level: Math.min(level + 1, limit.burst), ts: now });
  }

  return {
    take: (limitClass, key) => use(limitClass, key, { isCounted: true, isRefused: true }),
    check: (limitClass, key) => use(limitClass, key, { isCounted: false, isRefused: true }),
    count: (limitClass, key) => use(limitClass, key, { isCounted: true, isRefused: false }),
  };
}
