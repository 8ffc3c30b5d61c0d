import { Counter, type Registry } from 'prom-client';

/**
 * Counters and histograms that cost next to nothing while they count: a number is added to. Those of
 * prom-client look their series up, by a text made of its labels, at each count; several counts are part
 * of each request. Values are handed over to the registry when it is asked.
 */

/** What has one set of labels. */
class LabelledSeries<L extends string, S> {
  readonly #names: readonly L[];
  readonly #create: () => S;
  readonly #known = new Map<string, { labels: Record<L, string>; series: S }>();

  constructor(names: readonly L[], create: () => S) {
    this.#names = names;
    this.#create = create;
  }

  /** The series with these values of the labels, in their order; to be kept where it is used often. */
  labels(...values: readonly string[]): S {
    const key = JSON.stringify(values);
    let found = this.#known.get(key);
    if (!found) {
      const labels = Object.fromEntries(this.#names.map((name, i) => [name, values[i]!]));
      found = { labels: labels as Record<L, string>, series: this.#create() };
      this.#known.set(key, found);
    }
    return found.series;
  }

  all(): Iterable<{ labels: Record<L, string>; series: S }> {
    return this.#known.values();
  }
}

export interface CountSeries {
  inc(by?: number): void;
}

class Count implements CountSeries {
  value = 0;

  inc(by = 1): void {
    this.value += by;
  }
}

/** A counter by labels. */
export interface CountedBy {
  labels(...values: readonly string[]): CountSeries;
}

export interface Described<L extends string> {
  name: string;
  help: string;
  labelNames: readonly L[];
}

export function counterIn<L extends string>(
  registry: Registry,
  { name, help, labelNames }: Described<L>,
): CountedBy {
  const counts = new LabelledSeries(labelNames, () => new Count());
  new Counter({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, series } of counts.all()) this.inc(labels, series.value);
    },
  });
  if (labelNames.length === 0) counts.labels();
  return counts;
}

export interface TimeSeries {
  observe(value: number): void;
}

class Distribution implements TimeSeries {
  sum = 0;
  count = 0;
  /** How many were at most as large as each bound, and larger than the one before. */
  readonly inBucket: Float64Array;
  readonly #bounds: readonly number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.inBucket = new Float64Array(bounds.length);
  }

  observe(value: number): void {
    this.sum += value;
    this.count++;
    const bounds = this.#bounds;
    for (let i = 0; i < bounds.length; i++) {
      if (value > bounds[i]!) continue;
      this.inBucket[i]!++;
      return;
    }
  }
}

/** A histogram by labels. */
export interface TimedBy {
  labels(...values: readonly string[]): TimeSeries;
}

/** `bounds`: upper bounds of the buckets, ascending. */
export function histogramIn<L extends string>(
  registry: Registry,
  { name, help, labelNames }: Described<L>,
  bounds: readonly number[],
): TimedBy {
  const all = new LabelledSeries(labelNames, () => new Distribution(bounds));
  const valuesOf = (labels: object, { sum, count, inBucket }: Distribution) => {
    let upTo = 0;
    const buckets = bounds.map((le, i) => ({
      metricName: `${name}_bucket`,
      labels: { le, ...labels },
      value: (upTo += inBucket[i]!),
    }));
    return [
      ...buckets,
      { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: count },
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  };
  const metric = {
    name,
    help,
    type: 'histogram',
    aggregator: 'sum',
    get: async () => ({
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: [...all.all()].flatMap(({ labels, series }) => valuesOf(labels, series)),
    }),
  };
  // The registry asks a metric for its name, and for its values by `get`; its type wants one of its own.
  registry.registerMetric(metric as never);
  return all;
}
