import type { Metrics } from '../kernel/metrics.ts';

/** Counts the requests of one operation. */
export interface ServletMetrics {
  began(): void;
  ended(status: number, seconds: number): void;
}

export interface HttpMetrics {
  /** The counters of an operation; to be kept, because finding them is dearer than counting. */
  servlet(method: string, operation: string): ServletMetrics;
  /** Answers so far, of all operations. */
  answered(): number;
}

const buckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Requests by operation, under the names and labels that dashboards for Synapse read. */
export function createHttpMetrics(metrics: Metrics): HttpMetrics {
  const received = metrics.counter(
    'synapse_http_server_requests_received_total',
    'Requests, by method and operation',
    ['method', 'servlet'],
  );
  const responses = metrics.counter(
    'synapse_http_server_responses_total',
    'Answers, by method and status',
    ['method', 'code'],
  );
  const counts = metrics.counter(
    'synapse_http_server_response_count_total',
    'Answers, by method and operation',
    ['method', 'servlet', 'tag'],
  );
  const times = metrics.histogram(
    'synapse_http_server_response_time_seconds',
    'Seconds from request to answer',
    ['method', 'servlet', 'tag', 'code'],
    buckets,
  );
  const underWay = new Map<string, { method: string; servlet: string; count: number }>();
  metrics.gauges(
    'synapse_http_server_in_flight_requests_count',
    'Requests being answered now',
    ['method', 'servlet'],
    () => [...underWay.values()].map(({ count, ...labels }) => ({ labels, value: count })),
  );
  let answered = 0;
  const servlets = new Map<string, ServletMetrics>();

  function create(method: string, servlet: string): ServletMetrics {
    const flight = { method, servlet, count: 0 };
    underWay.set(`${method} ${servlet}`, flight);
    const receivedHere = received.labels(method, servlet);
    const countHere = counts.labels(method, servlet, '');
    const byStatus = new Map<number, (seconds: number) => void>();
    const createFor = (status: number) => {
      const code = String(status);
      const time = times.labels(method, servlet, '', code);
      const response = responses.labels(method, code);
      return (seconds: number) => {
        response.inc();
        time.observe(seconds);
      };
    };
    return {
      began() {
        flight.count++;
        receivedHere.inc();
      },
      ended(status, seconds) {
        flight.count--;
        answered++;
        countHere.inc();
        let observe = byStatus.get(status);
        if (!observe) byStatus.set(status, (observe = createFor(status)));
        observe(seconds);
      },
    };
  }

  return {
    servlet(method, operation) {
      const name = `${method} ${operation}`;
      let found = servlets.get(name);
      if (!found) servlets.set(name, (found = create(method, operation)));
      return found;
    },
    answered: () => answered,
  };
}
