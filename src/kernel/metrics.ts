import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { counterIn, histogramIn, type CountedBy, type TimedBy } from './series.ts';
import { version } from './version.ts';

/**
 * Percentiles of the event loop's lag are not offered: a timer that wakes the process a hundred times a
 * second measures them, and was most of what an idle server did. Its utilisation says as much.
 */
const lagPercentiles = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map(
  (name) => `nodejs_eventloop_lag_${name}_seconds`,
);
/** How often that timer wakes the process, milliseconds. */
const lagTimerMs = 60 * 60 * 1000;

/** The Prometheus metrics of a process. Names are those that dashboards for Synapse know. */
export class Metrics {
  readonly registry = new Registry();

  constructor() {
    const { registry: register } = this;
    collectDefaultMetrics({ register, eventLoopMonitoringPrecision: lagTimerMs });
    for (const name of lagPercentiles) register.removeSingleMetric(name);
    let last = performance.eventLoopUtilization();
    const help = 'Share of the time since it was asked last in which the event loop was busy';
    this.gauge('nodejs_eventloop_utilization', help, () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    });
    this.info('synapse_build_info', 'What runs here', { version, nodeversion: process.version });
  }

  counter(name: string, help: string, labelNames: readonly string[]): CountedBy {
    return counterIn(this.registry, { name, help, labelNames });
  }

  /** `buckets` in the unit of the metric, ascending. */
  histogram(
    name: string,
    help: string,
    labelNames: readonly string[],
    buckets: readonly number[],
  ): TimedBy {
    return histogramIn(this.registry, { name, help, labelNames }, buckets);
  }

  /** `read` is asked whenever the metrics are. */
  gauge(name: string, help: string, read: () => number): Gauge {
    return new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  /** The same with labels; what `read` no longer names is no longer shown. */
  gauges<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    read: () => Iterable<{ labels: Record<L, string>; value: number }>,
  ): Gauge<L> {
    return new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.set(labels, value);
      },
    });
  }

  /** A fact, told by labels; its value is always 1. */
  info(name: string, help: string, labels: Readonly<Record<string, string>>): void {
    const registers = [this.registry];
    new Gauge({ name, help, labelNames: Object.keys(labels), registers }).set({ ...labels }, 1);
  }
}
