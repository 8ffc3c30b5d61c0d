import { boundedCache } from '../../kernel/bounded-cache.ts';
import type { Clock } from '../../kernel/clock.ts';
import { MatrixError } from '../../kernel/errors.ts';

/** A leaky bucket of bytes. */
export interface DownloadBudgetOptions {
  /** [remote_media_download_per_second] */
  bytesPerSecond: number;
  /** [remote_media_download_burst_count] */
  burstBytes: number;
}

/** How much is fetched from other servers for one address. */
export interface DownloadBudget {
  /** Throws M_LIMIT_EXCEEDED when the address has had as much as it may for now. */
  check(address: string): void;
  count(address: string, bytes: number): void;
}

/** Addresses that are remembered; the least recently seen are forgiven first. */
const addressesMax = 50_000;
const retryMsMax = 60 * 60 * 1000;

export function createDownloadBudget(
  { bytesPerSecond, burstBytes }: DownloadBudgetOptions,
  clock: Clock,
): DownloadBudget {
  const buckets = boundedCache<string, { bytes: number; ts: number }>(addressesMax);

  function levelOf(address: string): number {
    const bucket = buckets.get(address);
    if (!bucket) return 0;
    const leaked = (Math.max(0, clock.now() - bucket.ts) / 1000) * bytesPerSecond;
    return Math.max(0, bucket.bytes - leaked);
  }

  return {
    check(address) {
      const over = levelOf(address) - burstBytes;
      if (over < 0) return;
      const waitMs = Math.min(retryMsMax, Math.ceil(((over + 1) / bytesPerSecond) * 1000));
      const text = 'Too much was fetched from other servers';
      throw new MatrixError('M_LIMIT_EXCEEDED', text, { extra: { retry_after_ms: waitMs } });
    },
    count(address, bytes) {
      buckets.set(address, { bytes: levelOf(address) + bytes, ts: clock.now() });
    },
  };
}
