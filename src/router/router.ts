import { createListeners, type ListenerOptions } from '../http/open-listeners.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Classify } from '../routing/classify.ts';
import type { HealthLimits, Upstream, UpstreamOptions } from '../routing/upstream.ts';
import { UpstreamSet, type Prefer } from '../routing/upstream-set.ts';
import { answerHealth, answerMetrics } from './answer-itself.ts';
import { ConnectionPool } from './connection-pool.ts';
import { Exchange, type ExchangeLimits, type ExchangeNeeds } from './exchange.ts';
import { createHealthChecks } from './health-checks.ts';
import { Links } from './links.ts';
import { createRequestListener } from './request-listener.ts';
import { createRouterMetrics } from './router-metrics.ts';
import { UnderWay } from './under-way.ts';

export interface RouterLimits extends ExchangeLimits {
  /** Between two checks of a worker that is well. */
  checkIntervalMs: number;
  /** A worker that does not answer a check by then hangs. */
  checkTimeoutMs: number;
  health: Partial<HealthLimits>;
}

const defaultLimits: RouterLimits = {
  // Joining a big room of another server takes minutes.
  answerTimeoutMs: 180_000,
  stallTimeoutMs: 120_000,
  attemptsMax: 3,
  checkIntervalMs: 5_000,
  checkTimeoutMs: 3_000,
  health: {},
};

export interface RouterOptions {
  listeners: readonly ListenerOptions[];
  classify: Classify;
  log: Log;
  metrics: Metrics;
  upstreams?: readonly UpstreamOptions[];
  prefer?: Prefer;
  limits?: Partial<RouterLimits>;
  /** What the processes of the server prove themselves with; without it workers are reached by HTTP alone. */
  linkSecret?: string | null;
}

export interface Router {
  /** Opens all listeners; gives their URLs. */
  listen(): Promise<string[]>;
  /** The workers from now on. Those that are gone may finish what they do. */
  setUpstreams(upstreams: readonly UpstreamOptions[]): void;
  /** Stops accepting, lets requests end for at most this long. */
  close(graceMs: number): Promise<void>;
}

/** How often deadlines, idle connections and checks are looked at. */
const tickMs = 250;
/** A reverse proxy that places requests by the routing table. */
export function createRouter(options: RouterOptions): Router {
  const { classify, log, metrics, prefer } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const now = () => performance.now();
  const upstreams = new UpstreamSet({ now, prefer, limits: limits.health });
  upstreams.set(options.upstreams ?? []);
  const pool = new ConnectionPool(now);
  const links = new Links(now, options.linkSecret ?? null);
  const counted = createRouterMetrics(metrics, () => upstreams.all);
  const underWay = new UnderWay<Exchange>();

  function workerFailed(upstream: Upstream, error: Error, isGone: boolean): void {
    log.debug({ worker: upstream.id, reason: error.message }, 'a worker did not answer');
    if (!upstream.failed(now(), isGone)) return;
    log.warn({ worker: upstream.id, reason: error.message }, 'a worker gets no requests for now');
  }

  const needs: ExchangeNeeds & { isClosing: boolean } = {
    now,
    isClosing: false,
    pick: (placement, tried) => upstreams.pick(placement, tried),
    connect: (upstream, isShort) => (isShort ? links.take(upstream) : null) ?? pool.take(upstream),
    failed: workerFailed,
    retried: (placement) => counted.retried(placement),
    ended(exchange, status) {
      underWay.delete(exchange);
      counted.ended(exchange.placement, status, (now() - exchange.beganAtMs) / 1000);
    },
  };

  const requests = createRequestListener({
    classify,
    log,
    answerItself(resource, res) {
      if (resource === 'health') answerHealth(res, upstreams.all);
      else void answerMetrics(res, metrics);
    },
    begin(req, res, placement, exchangeOptions) {
      const exchange = new Exchange(req, res, placement, exchangeOptions, limits, needs);
      underWay.add(exchange);
      return exchange;
    },
  });
  const listeners = createListeners(options.listeners, requests, log);

  const checks = createHealthChecks({
    upstreams: () => upstreams.all,
    now,
    intervalMs: limits.checkIntervalMs,
    timeoutMs: limits.checkTimeoutMs,
    failed: (upstream) => workerFailed(upstream, new Error('a health check failed'), false),
    returned: ({ id }) => log.info({ worker: id }, 'a worker gets requests again'),
  });
  const ticking = setInterval(() => {
    checks.run();
    pool.sweep();
    const time = now();
    for (const exchange of underWay.all()) if (exchange.deadlineMs < time) exchange.timeOut();
  }, tickMs);

  return {
    listen: () => listeners.listen(),
    setUpstreams(wanted) {
      for (const gone of upstreams.set(wanted)) {
        pool.forget(gone);
        links.forget(gone);
      }
    },
    async close(graceMs) {
      needs.isClosing = true;
      await listeners.close(graceMs);
      clearInterval(ticking);
      checks.close();
      pool.close();
      links.close();
    },
  };
}
