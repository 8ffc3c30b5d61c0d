import type { Metrics } from '../kernel/metrics.ts';

/** Counts requests and their times, by operation. */
export interface HttpMetrics {
  observe(method: string, operation: string, status: number, seconds: number): void;
}

const buckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function createHttpMetrics(metrics: Metrics): HttpMetrics {
  const received = metrics.counter(
    'synapse_http_server_requests_received_total',
    'Requests, by method and operation',
    ['method', 'servlet'],
  );
  const responses = metrics.counter(
    'synapse_http_server_responses_total',
    'Answers, by method, operation and status',
    ['method', 'servlet', 'code'],
  );
  const times = metrics.histogram(
    'synapse_http_server_response_time_seconds',
    'Seconds from request to answer',
    ['method', 'servlet', 'code'],
    buckets,
  );
  // Looking a label combination up is dearer than counting: each is looked up once.
  const known = new Map<string, (seconds: number) => void>();

  return {
    observe(method, servlet, status, seconds) {
      const name = `${method} ${servlet} ${status}`;
      let observe = known.get(name);
      if (!observe) {
        const code = String(status);
        const time = times.labels(method, servlet, code);
        const count = received.labels(method, servlet);
        const response = responses.labels(method, servlet, code);
        observe = (value) => {
          count.inc();
          response.inc();
          time.observe(value);
        };
        known.set(name, observe);
      }
      observe(seconds);
    },
  };
}
