import { request } from 'node:http';
import type { Upstream, UpstreamAddress } from '../routing/upstream.ts';

/** Whether a worker answers `GET /health`; what it answers does not matter unless it is its own fault. */
export function isHealthy(
  address: UpstreamAddress,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const req = request({
      ...address,
      path: '/health',
      agent: false,
      signal,
      timeout: timeoutMs,
    });
    req.on('response', (res) => {
      res.resume();
      resolve((res.statusCode ?? 0) < 500);
    });
    req.on('timeout', () => req.destroy());
    req.on('error', () => resolve(false));
    req.on('close', () => resolve(false));
    req.end();
  });
}

export interface HealthChecks {
  /** Checks what is due; to be called often. */
  run(): void;
  close(): void;
}

export interface HealthCheckNeeds {
  upstreams: () => Iterable<Upstream>;
  /** Milliseconds of a steady clock. */
  now: () => number;
  intervalMs: number;
  /** A worker that does not answer by then hangs. */
  timeoutMs: number;
  /** A check of a worker that gets requests failed. */
  failed(upstream: Upstream): void;
  /** A check of a worker that got no requests succeeded. */
  returned(upstream: Upstream): void;
}

/** Asks every worker now and then, and those that get no requests when it is their time. */
export function createHealthChecks(needs: HealthCheckNeeds): HealthChecks {
  const closing = new AbortController();
  const underWay = new Set<Upstream>();
  const checkedAt = new WeakMap<Upstream, number>();

  async function check(upstream: Upstream): Promise<void> {
    underWay.add(upstream);
    const isWell = await isHealthy(upstream.address, needs.timeoutMs, closing.signal);
    underWay.delete(upstream);
    const now = needs.now();
    checkedAt.set(upstream, now);
    if (closing.signal.aborted) return;
    if (isWell && upstream.returned(now)) needs.returned(upstream);
    else if (!isWell && upstream.isEjected) upstream.checkFailed(now);
    else if (!isWell) needs.failed(upstream);
  }

  return {
    run() {
      const now = needs.now();
      for (const upstream of needs.upstreams()) {
        if (underWay.has(upstream)) continue;
        const last = checkedAt.get(upstream);
        if (last === undefined) checkedAt.set(upstream, now);
        const dueAt = upstream.isEjected ? upstream.checkAtMs : (last ?? now) + needs.intervalMs;
        if (dueAt <= now) void check(upstream);
      }
    },
    close: () => closing.abort(),
  };
}
