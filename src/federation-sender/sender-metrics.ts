import { lastTimes } from '../kernel/last-times.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { Transaction } from './transaction.ts';

/** What waits, in this process. */
export interface PendingCounts {
  destinations(): number;
  pdus(): number;
  edus(): number;
}

/** Synapse's names. `metricsDomains`: servers with a metric of their own [federation_metrics_domains]. */
export function createSenderMetrics(
  metrics: Metrics,
  pending: PendingCounts,
  metricsDomains: readonly string[],
) {
  const prefix = 'synapse_federation';
  const counter = (name: string, help: string) =>
    metrics.counter(`${prefix}_client_${name}_total`, help, []).labels();
  const transactions = counter('sent_transactions', 'Transactions that other servers took');
  const edus = counter('sent_edus', 'EDUs in transactions that other servers took');
  const destinations = counter('sent_pdu_destinations', 'Servers that events were to be sent to');
  const events = counter('sent_pdu_destinations_count', 'Events that were to be sent to servers');
  const byType = metrics.counter(
    `${prefix}_client_sent_edus_by_type_total`,
    'EDUs in transactions that other servers took',
    ['type'],
  );
  const gauge = (name: string, help: string, read: () => number) =>
    metrics.gauge(`${prefix}_transaction_queue_pending_${name}`, help, read);
  gauge('destinations', 'Servers that something waits for', pending.destinations);
  gauge('pdus', 'Events that wait in memory', pending.pdus);
  gauge('edus', 'EDUs that wait in memory', pending.edus);

  const noteLast = lastTimes(metrics, {
    name: `${prefix}_last_sent_pdu_time`,
    help: 'When the newest event was made that a server has taken',
    label: 'destination_server_name',
    servers: metricsDomains,
  });

  return {
    /** A transaction was taken. */
    sent(destination: string, { content, eduTypes }: Transaction): void {
      const last = (content['pdus'] as JsonObject[]).at(-1);
      if (last) noteLast(destination, last['origin_server_ts'] as number);
      transactions.inc();
      if (eduTypes.length > 0) edus.inc(eduTypes.length);
      for (const type of eduTypes) byType.labels(type).inc();
    },
    /** An event is to be sent to so many servers. */
    queued(serverCount: number): void {
      events.inc();
      destinations.inc(serverCount);
    },
  };
}

export type SenderMetrics = ReturnType<typeof createSenderMetrics>;
