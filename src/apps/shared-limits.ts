import type { SharedRateLimiter, Uses } from '../http/rate-limiter.ts';
import type { Bus } from '../streams/bus.ts';
import { defineStream } from '../streams/define-stream.ts';

/** What users have done much of in one process, for the limits of the others. */
export const rateLimitStream = defineStream<{ from: string; uses: Uses[] }>({
  name: 'rate_limits',
  durable: false,
  shardedBy: 'none',
});

const tellMs = 50;

/** Makes the limits of this process and those of the others one. Gives what ends that. */
export function shareLimits(limiter: SharedRateLimiter, bus: Bus, from: string): () => void {
  bus.subscribe(rateLimitStream, (rows) => {
    for (const { row } of rows) if (row.from !== from) limiter.heard(row.uses);
  });
  const timer = setInterval(() => {
    const uses = limiter.news();
    if (uses.length === 0) return;
    bus.publish([{ stream: rateLimitStream, pos: bus.nextEphemeral(), row: { from, uses } }]);
  }, tellMs);
  timer.unref();
  return () => clearInterval(timer);
}
