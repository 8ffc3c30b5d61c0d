import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { RateLimitClass } from './endpoint.ts';
import type { RateLimit } from './rate-limit.ts';

export type RateLimits = Partial<Record<RateLimitClass, RateLimit | null>>;

/** Users and addresses whose use is remembered; the least recently seen are forgiven first. */
const keysMax = 100_000;
/** Buckets that others are told of at once; the rest follows. */
const toldMax = 1_000;
/** Others are told of a bucket once it is this full here: most never are. */
const telltaleShare = 4;

interface Bucket {
  level: number;
  ts: number;
  limit: RateLimit;
  /** Uses here that other processes have not been told of. */
  untold: number;
}

/** Uses of one key in one process, for the others. */
export interface Uses {
  limitClass: RateLimitClass;
  key: string;
  count: number;
}

export interface RateLimiter {
  /**
   * Counts one use by `key`. `own`: the limit of this user instead of the usual one; null: none.
   * Throws M_LIMIT_EXCEEDED with `retry_after_ms`.
   */
  take(limitClass: RateLimitClass, key: string, own?: RateLimit | null): void;
  /** Whether a use would pass, without counting it. Throws M_LIMIT_EXCEEDED. */
  check(limitClass: RateLimitClass, key: string): void;
  /** Counts one use, whether or not it would pass. */
  count(limitClass: RateLimitClass, key: string): void;
}

/**
 * A limiter that is one with those of other processes: what is used much in one of them, the others
 * hear of. A limit may be exceeded by a share of the burst in each process, and by what is used in
 * the time that telling takes. For that, `isShared` is to be given.
 */
export interface SharedRateLimiter extends RateLimiter {
  /** What the others are to be told of now; empty: nothing. To be asked every moment. */
  news(): Uses[];
  /** Others have used these. */
  heard(uses: readonly Uses[]): void;
}

export function createRateLimiter(
  limits: RateLimits,
  clock: Clock,
  { isShared = false } = {},
): SharedRateLimiter {
  const buckets = boundedCache<string, Bucket>(keysMax);
  const toTell = new Map<string, Uses>();

  /** The bucket as it is now: it has leaked since it was used last. */
  function bucketOf(name: string, limit: RateLimit): Bucket {
    const now = clock.now();
    const known = buckets.get(name);
    if (!known) return { level: 0, ts: now, limit, untold: 0 };
    // The clock may have been set back.
    const leaked = (Math.max(0, now - known.ts) / 1000) * known.limit.perSecond;
    return { ...known, level: Math.max(0, known.level - leaked), ts: now, limit };
  }

  function use(
    limitClass: RateLimitClass,
    key: string,
    limit: RateLimit | null | undefined,
    { isCounted, isRefused }: { isCounted: boolean; isRefused: boolean },
  ): void {
    if (!limit || limitClass === 'none') return;
    const name = `${limitClass} ${key}`;
    const bucket = bucketOf(name, limit);
    const over = bucket.level + 1 - limit.burst;
    if (isRefused && over > 0) {
      const waitMs = Math.ceil((over / limit.perSecond) * 1000);
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too Many Requests', {
        extra: { retry_after_ms: waitMs },
      });
    }
    if (!isCounted) return;
    bucket.level = Math.min(bucket.level + 1, limit.burst);
    if (isShared) bucket.untold++;
    if (isShared && bucket.level * telltaleShare >= limit.burst) {
      toTell.set(name, { limitClass, key, count: bucket.untold });
    }
    buckets.set(name, bucket);
  }

  return {
    take: (limitClass, key, own = limits[limitClass]) =>
      use(limitClass, key, own, { isCounted: true, isRefused: true }),
    check: (limitClass, key) =>
      use(limitClass, key, limits[limitClass], { isCounted: false, isRefused: true }),
    count: (limitClass, key) =>
      use(limitClass, key, limits[limitClass], { isCounted: true, isRefused: false }),
    news() {
      const told: Uses[] = [];
      for (const [name, uses] of toTell) {
        if (told.length === toldMax) break;
        toTell.delete(name);
        const bucket = buckets.peek(name);
        if (bucket) bucket.untold = 0;
        told.push(uses);
      }
      return told;
    },
    heard(uses) {
      for (const { limitClass, key, count } of uses) {
        const name = `${limitClass} ${key}`;
        const limit = buckets.peek(name)?.limit ?? limits[limitClass];
        if (!limit) continue;
        const bucket = bucketOf(name, limit);
        bucket.level = Math.min(bucket.level + count, limit.burst);
        buckets.set(name, bucket);
      }
    },
  };
}
