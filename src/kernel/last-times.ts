import type { Metrics } from './metrics.ts';

/**
 * A metric with the time of the newest event from or to each of some servers, seconds since 1970. Others
 * are passed over, so that nobody makes up names for series.
 */
export function lastTimes<L extends string>(
  metrics: Metrics,
  {
    name,
    help,
    label,
    servers,
  }: { name: string; help: string; label: L; servers: Iterable<string> },
): (serverName: string, ts: number) => void {
  const wanted = new Set(servers);
  const seconds = new Map<string, number>();
  metrics.gauges(name, help, [label], () =>
    Array.from(seconds, ([server, value]) => ({
      labels: { [label]: server } as Record<L, string>,
      value,
    })),
  );
  return (serverName, ts) => {
    if (wanted.has(serverName)) seconds.set(serverName, ts / 1_000);
  };
}
