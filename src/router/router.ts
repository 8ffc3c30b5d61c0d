import type { IncomingMessage, ServerResponse } from 'node:http';
import { corsHeaders } from '../http/cors.ts';
import { createListeners, type ListenerOptions } from '../http/open-listeners.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Classify, Placement } from '../routing/classify.ts';
import { queryValue } from '../routing/keys.ts';
import type { HealthLimits, Upstream, UpstreamOptions } from '../routing/upstream.ts';
import { UpstreamSet, type Prefer } from '../routing/upstream-set.ts';
import { answerFailure } from './answer-failure.ts';
import { ConnectionPool } from './connection-pool.ts';
import { Exchange, type ExchangeLimits, type ExchangeNeeds } from './exchange.ts';
import { createHealthChecks } from './health-checks.ts';
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
/** Longest wait that a long poll may ask for; workers have their own limit. */
const pollMsMax = 30 * 60_000;

function pollMsOf({ group }: Placement, url: string): number {
  if (group !== 'sync' && group !== 'initial_sync') return 0;
  const mark = url.indexOf('?');
  const given = mark === -1 ? null : queryValue(url, mark, 'timeout');
  const ms = given === null ? 0 : Number(given);
  return ms > 0 ? Math.min(ms, pollMsMax) : 0;
}

/** A reverse proxy that places requests by the routing table. */
export function createRouter(options: RouterOptions): Router {
  const { classify, log, metrics, prefer } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const now = () => performance.now();
  const upstreams = new UpstreamSet({ now, prefer, limits: limits.health });
  upstreams.set(options.upstreams ?? []);
  const pool = new ConnectionPool(now);
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
    connect: (upstream) => pool.take(upstream),
    failed: workerFailed,
    retried: (placement) => counted.retried(placement),
    ended(exchange, status) {
      underWay.delete(exchange);
      counted.ended(exchange.placement, status, (now() - exchange.beganAtMs) / 1000);
    },
  };

  /** Answers for the router itself, as every process does for itself. */
  function answerItself(resource: 'health' | 'metrics', res: ServerResponse): void {
    if (resource === 'health') answerHealth(res, upstreams.all);
    else void answerMetrics(res, metrics);
  }

  const answer = (listener: ListenerOptions) => {
    const resources = new Set(listener.resources);
    const { isForwarded } = listener;
    return (req: IncomingMessage, res: ServerResponse) => {
      const { method = 'GET', url = '/' } = req;
      if (method === 'OPTIONS') {
        res.writeHead(204, corsHeaders);
        res.end();
        return;
      }
      const placement = classify(method, url, req.headers, req.socket.remoteAddress);
      const { resource } = placement;
      if (resource !== null && !resources.has(resource)) {
        answerFailure(res, 404);
        return;
      }
      if (resource === 'health' || resource === 'metrics') {
        answerItself(resource, res);
        return;
      }
      const pollMs = pollMsOf(placement, url);
      const exchange = new Exchange(req, res, placement, { isForwarded, pollMs }, limits, needs);
      underWay.add(exchange);
      try {
        exchange.attempt();
      } catch (error) {
        log.error({ err: error }, 'bug: a request could not be passed on');
        exchange.giveUp();
      }
    };
  };
  const listeners = createListeners(options.listeners, answer, log);

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
      for (const gone of upstreams.set(wanted)) pool.forget(gone);
    },
    async close(graceMs) {
      needs.isClosing = true;
      await listeners.close(graceMs);
      clearInterval(ticking);
      checks.close();
      pool.close();
    },
  };
}

/** The router is well when some worker gets requests. */
function answerHealth(res: ServerResponse, upstreams: Iterable<Upstream>): void {
  if ([...upstreams].some(({ isEjected }) => !isEjected)) res.end('OK');
  else answerFailure(res, 503);
}

async function answerMetrics(res: ServerResponse, { registry }: Metrics): Promise<void> {
  const text = await registry.metrics();
  res.writeHead(200, { 'Content-Type': registry.contentType });
  res.end(text);
}
