import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Metrics } from '../kernel/metrics.ts';

/** How requests of one other server are held back (`rc_federation`). */
export interface ServerLimits {
  /** Requests are counted over so long. */
  windowMs: number;
  /** Beyond so many in a window each is held back for a while; null: never. */
  sleepLimit: number | null;
  sleepMs: number;
  /** While more than so many are held back or wait for their turn, further ones are refused. */
  rejectLimit: number;
  /** So many are answered at once; others wait for their turn. */
  concurrent: number;
}

/** A request that may be answered, once it has waited. */
export interface ServerTurn {
  /** Null: at once. */
  wait: Promise<void> | null;
  /** To be called once when it has been answered, whatever came of it. */
  end(): void;
}

export interface ServerLimiter {
  /** Throws M_LIMIT_EXCEEDED with `retry_after_ms`. */
  enter(origin: string): ServerTurn;
}

/** The times of the last requests; at most `max`. */
class RecentTimes {
  readonly #max: number;
  readonly #times: number[] = [];
  #oldest = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether so many came since then. */
  isFullSince(ts: number): boolean {
    if (this.#times.length < this.#max) return false;
    return this.#max === 0 || this.#times[this.#oldest]! > ts;
  }

  add(ts: number): void {
    if (this.#max === 0) return;
    this.#times[this.#oldest] = ts;
    this.#oldest = (this.#oldest + 1) % this.#max;
  }
}

interface Server {
  times: RecentTimes | null;
  sleeping: number;
  answered: number;
  /** Called when it is the turn of a request. */
  queue: (() => void)[];
}

/** Servers that are remembered; the least recently seen are forgiven first. */
const serversMax = 10_000;

const waitBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 10, 20];

/** Under the names and labels that dashboards for Synapse read. */
function createMeasures(metrics: Metrics) {
  const labels = ['rate_limiter_name'];
  const name = 'federation_servlets';
  const count = (what: string, help: string) =>
    metrics.counter(`synapse_rate_limit_${what}_total`, help, labels).labels(name);
  return {
    slept: count('sleep', 'Requests of other servers that were held back'),
    rejected: count('reject', 'Requests of other servers that were refused'),
    waited: metrics
      .histogram(
        'synapse_rate_limit_queue_wait_time_seconds',
        'Seconds that requests of other servers were held back and waited for their turn',
        labels,
        waitBuckets,
      )
      .labels(name),
    affected(what: 'sleep' | 'reject', help: string, read: () => number) {
      metrics.gauges(`synapse_rate_limit_${what}_affected_hosts`, help, labels, () => [
        { labels: { rate_limiter_name: name }, value: read() },
      ]);
    },
  };
}

/** Holds back servers that ask too much of this process, each by itself. */
export function createServerLimiter(
  limits: ServerLimits,
  clock: Clock,
  metrics: Metrics,
): ServerLimiter {
  const { windowMs, sleepLimit, sleepMs, rejectLimit, concurrent } = limits;
  const servers = boundedCache<string, Server>(serversMax);
  const measures = createMeasures(metrics);
  const sleeps = ({ times }: Server) => times?.isFullSince(clock.now() - windowMs) ?? false;
  const rejects = ({ sleeping, queue }: Server) => sleeping + queue.length > rejectLimit;
  const affected = (isSo: (server: Server) => boolean) => () =>
    [...servers.values()].filter(isSo).length;
  measures.affected('sleep', 'Servers whose requests are held back', affected(sleeps));
  measures.affected('reject', 'Servers whose requests are refused', affected(rejects));

  function serverOf(origin: string): Server {
    const known = servers.get(origin);
    if (known) return known;
    const times = sleepLimit === null ? null : new RecentTimes(sleepLimit);
    const server: Server = { times, sleeping: 0, answered: 0, queue: [] };
    servers.set(origin, server);
    return server;
  }

  /** Null: the turn has come. */
  function turnOf(server: Server): Promise<void> | null {
    if (server.answered < concurrent) {
      server.answered++;
      return null;
    }
    return new Promise((resolve) => {
      server.queue.push(resolve);
    });
  }

  async function sleep(server: Server): Promise<void> {
    measures.slept.inc();
    server.sleeping++;
    await new Promise((resolve) => void setTimeout(resolve, sleepMs).unref());
    server.sleeping--;
    await turnOf(server);
  }

  function end(server: Server): void {
    const next = server.queue.shift();
    // Who is next takes the place over.
    if (next) next();
    else server.answered--;
  }

  return {
    enter(origin) {
      const server = serverOf(origin);
      if (rejects(server)) {
        measures.rejected.inc();
        throw new MatrixError('M_LIMIT_EXCEEDED', 'Too Many Requests', {
          extra: { retry_after_ms: Math.ceil(windowMs / Math.max(sleepLimit ?? 1, 1)) },
        });
      }
      const isHeldBack = sleeps(server);
      server.times?.add(clock.now());
      const waiting = isHeldBack ? sleep(server) : turnOf(server);
      const started = clock.now();
      const wait =
        waiting?.then(() => measures.waited.observe((clock.now() - started) / 1000)) ?? null;
      if (!wait) measures.waited.observe(0);
      return { wait, end: () => end(server) };
    },
  };
}
