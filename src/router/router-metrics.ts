import type { Metrics } from '../kernel/metrics.ts';
import type { Placement } from '../routing/classify.ts';
import type { Upstream } from '../routing/upstream.ts';

export interface RouterMetrics {
  ended(placement: Placement, status: number, seconds: number): void;
  retried(placement: Placement): void;
}

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Requests by app and group, and the state of workers. */
export function createRouterMetrics(
  metrics: Metrics,
  upstreams: () => Iterable<Upstream>,
): RouterMetrics {
  const requests = metrics.counter(
    'lattice_router_requests_total',
    'Requests passed on, by the app and group they belong to and the status of the answer',
    ['app', 'group', 'code'],
  );
  const times = metrics.histogram(
    'lattice_router_request_seconds',
    'Seconds from request to the end of the answer, long polls included',
    ['app', 'group'],
    buckets,
  );
  const retries = metrics.counter(
    'lattice_router_retries_total',
    'Requests that were sent to another worker because one did not answer',
    ['app'],
  );
  const ofEach = (read: (upstream: Upstream) => number) => () =>
    [...upstreams()].map((one) => ({
      labels: { worker: one.id, app: one.app },
      value: read(one),
    }));
  const labels = ['worker', 'app'] as const;
  metrics.gauges(
    'lattice_router_worker_pending',
    'Requests that a worker has not answered yet',
    labels,
    ofEach(({ pending }) => pending),
  );
  metrics.gauges(
    'lattice_router_worker_up',
    'Whether a worker gets requests',
    labels,
    ofEach(({ isEjected }) => (isEjected ? 0 : 1)),
  );

  // Finding a series by its labels is dearer than counting in it.
  const counts = new Map<string, { inc(): void }>();
  const timings = new Map<string, { observe(seconds: number): void }>();
  return {
    ended({ app, group }, status, seconds) {
      const ofGroup = `${app} ${group}`;
      const name = `${ofGroup} ${status}`;
      let count = counts.get(name);
      if (!count) counts.set(name, (count = requests.labels(app, group, String(status))));
      count.inc();
      let timing = timings.get(ofGroup);
      if (!timing) timings.set(ofGroup, (timing = times.labels(app, group)));
      timing.observe(seconds);
    },
    retried: ({ app }) => retries.labels(app).inc(),
  };
}
