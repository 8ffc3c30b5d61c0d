import type { Clock } from '../kernel/clock.ts';
import { lastTimes } from '../kernel/last-times.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Transaction } from './transactions.ts';

export interface InboundMetricsNeeds {
  metrics: Metrics;
  clock: Clock;
  /** [federation_metrics_domains] */
  metricsDomains: readonly string[];
}

/** Seconds. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Synapse's names. What it keeps in a table until it is done is here what is under way. */
export function createInboundMetrics({ metrics, clock, metricsDomains }: InboundMetricsNeeds) {
  const counter = (name: string, help: string) =>
    metrics.counter(`synapse_federation_${name}_total`, help, []).labels();
  const pdus = counter('server_received_pdus', 'Events that other servers have sent');
  const edus = counter('server_received_edus', 'EDUs that other servers have sent');
  const softFailed = counter('soft_failed_events', 'Events that were accepted, and not shown');
  const processTime = metrics
    .histogram('synapse_federation_server_pdu_process_time', 'Seconds for an event', [], buckets)
    .labels();
  const noteLast = lastTimes(metrics, {
    name: 'synapse_federation_last_received_pdu_time',
    help: 'When the newest event was sent that a server has brought',
    label: 'origin_server_name',
    servers: metricsDomains,
  });
  /** In the order in which they came. */
  const underWay = new Set<{ sinceTs: number; pdus: number }>();
  const prefix = 'synapse_federation_server';
  metrics.gauge(`${prefix}_number_inbound_pdu_in_staging`, 'Events being taken in', () =>
    [...underWay].reduce((sum, one) => sum + one.pdus, 0),
  );
  metrics.gauge(`${prefix}_oldest_inbound_pdu_in_staging`, 'For how many seconds at most', () => {
    const [oldest] = underWay;
    return oldest ? (clock.now() - oldest.sinceTs) / 1_000 : 0;
  });

  return {
    softFailed: () => softFailed.inc(),
    /** A transaction has come; gives what is to be called when its events are taken in, or not. */
    received(origin: string, transaction: Transaction): (isTaken: boolean) => void {
      const count = transaction.pdus.length;
      pdus.inc(count);
      edus.inc(transaction.edus.length);
      if (count === 0) return () => undefined;
      const one = { sinceTs: clock.now(), pdus: count };
      underWay.add(one);
      return (isTaken) => {
        underWay.delete(one);
        if (!isTaken) return;
        const seconds = (clock.now() - one.sinceTs) / 1_000;
        for (let i = 0; i < count; i++) processTime.observe(seconds);
        const times = transaction.pdus.map(({ origin_server_ts: ts }) => Number(ts) || 0);
        noteLast(origin, Math.max(...times));
      };
    },
  };
}

export type InboundMetrics = ReturnType<typeof createInboundMetrics>;
