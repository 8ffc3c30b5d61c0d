import type { Metrics } from '../kernel/metrics.ts';
import type { Transaction } from './transaction.ts';

/** Synapse's names. */
export function createSenderMetrics(metrics: Metrics) {
  const counter = (name: string, help: string) =>
    metrics.counter(`synapse_appservice_api_${name}_total`, help, ['service']);
  const transactions = counter('sent_transactions', 'Transactions that services took');
  const failed = counter('failed_transactions', 'Tries of transactions that failed');
  const events = counter('sent_events', 'Events in transactions that services took');
  const ephemeral = counter('sent_ephemeral', 'Typing, receipts and presence in them');
  const messages = counter('sent_to_device', 'Messages to devices in them');
  return {
    sent(id: string, { counts }: Transaction): void {
      transactions.labels(id).inc();
      events.labels(id).inc(counts.events);
      ephemeral.labels(id).inc(counts.ephemeral);
      messages.labels(id).inc(counts.messages);
    },
    failed(id: string): void {
      failed.labels(id).inc();
    },
  };
}

export type SenderMetrics = ReturnType<typeof createSenderMetrics>;
