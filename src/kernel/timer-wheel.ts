import type { Clock } from './clock.ts';

/** Calls back for many items at about their times, with one timer for all of them. */
export interface TimerWheel<T> {
  /** `due` will be called with the item at `atMs` (milliseconds since 1970) or up to a tick later. */
  set(item: T, atMs: number): void;
  /** Calls `due` for everything whose time has come. The wheel does so itself every tick. */
  run(): void;
  /** Forgets everything. */
  stop(): void;
}

export interface TimerWheelOptions<T> {
  clock: Clock;
  /** How precise times are. */
  tickMs: number;
  /** May set items again. Must not throw. */
  due: (item: T) => void;
}

/**
 * Setting costs one append, and nothing is ever cancelled: an item that has changed its mind is
 * told of its old time and looks for itself whether something is to be done.
 */
export function createTimerWheel<T>(options: TimerWheelOptions<T>): TimerWheel<T> {
  const { clock, tickMs, due } = options;
  /** By number of the tick. */
  const buckets = new Map<number, T[]>();
  let timer: NodeJS.Timeout | null = null;

  function rest(): void {
    if (timer) clearInterval(timer);
    timer = null;
  }

  function run(): void {
    const now = Math.floor(clock.now() / tickMs);
    const ready = [...buckets.keys()].filter((tick) => tick <= now).toSorted((a, b) => a - b);
    for (const tick of ready) {
      const items = buckets.get(tick)!;
      buckets.delete(tick);
      for (const item of items) due(item);
    }
    if (buckets.size === 0) rest();
  }

  return {
    set(item, atMs) {
      const tick = Math.ceil(atMs / tickMs);
      const bucket = buckets.get(tick);
      if (bucket) bucket.push(item);
      else buckets.set(tick, [item]);
      // A timer must not keep the process from ending.
      timer ??= setInterval(run, tickMs).unref();
    },
    run,
    stop() {
      buckets.clear();
      rest();
    },
  };
}
