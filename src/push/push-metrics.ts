import type { Metrics } from '../kernel/metrics.ts';
import type { HeldPusher } from './held-pushers.ts';

function* counted(held: Iterable<HeldPusher>) {
  const counts = new Map<string, { labels: { kind: string; app_id: string }; value: number }>();
  for (const { row } of held) {
    const key = `${row.kind} ${row.appId}`;
    const labels = { kind: row.kind, app_id: row.appId };
    const count = counts.get(key) ?? { labels, value: 0 };
    count.value++;
    counts.set(key, count);
  }
  yield* counts.values();
}

/** Synapse's names. */
export function createPushMetrics(metrics: Metrics, held: () => Iterable<HeldPusher>) {
  metrics.gauges('synapse_pushers', 'Pushers of this process', ['kind', 'app_id'], () =>
    counted(held()),
  );
  const counter = (name: string, help: string) =>
    metrics.counter(`synapse_http_httppusher_${name}`, help, []).labels();
  return {
    processed: counter('http_pushes_processed_total', 'Pushes that gateways took'),
    failed: counter('http_pushes_failed_total', 'Pushes that gateways did not take'),
    badgesProcessed: counter('badge_updates_processed_total', 'Unread counts that gateways took'),
    badgesFailed: counter('badge_updates_failed_total', 'Unread counts that gateways did not take'),
  };
}

export type PushMetrics = ReturnType<typeof createPushMetrics>;
