import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Bus } from '../streams/bus.ts';
import { defineStream } from '../streams/define-stream.ts';
import { jitterMin, type BackOff, type BackOffOptions } from './back-off.ts';
import type { RetryStore } from './store/retries.ts';

/** A server that does not answer. Times in milliseconds since 1970. */
export interface FailingServer {
  serverName: string;
  /** Of the first failure since it answered last. */
  sinceTs: number;
  /** Of the newest failure. */
  lastTs: number;
  /** How long it is left alone after that, but for chance. */
  intervalMs: number;
}

interface Failing extends FailingServer {
  untilTs: number;
}

/** How a server is now, as the process knows that has asked it; null: it answers. */
export const retryStream = defineStream<{ serverName: string; failing: Failing | null }>({
  name: 'federation_retries',
  durable: false,
  shardedBy: 'none',
});

/**
 * The back-off of all processes: what one of them learns of a server, all know, and for servers that
 * something is sent to it outlasts them.
 */
export interface SharedBackOff extends BackOff {
  /** Resolves when what is in the database is known here. */
  readonly ready: Promise<void>;
  /** Null: it answers, as far as is known. */
  failing(destination: string): FailingServer | null;
  /** The server has sent us something: it is tried again at once. */
  heardFrom(destination: string): void;
  /** `handler` is called when a server may be asked sooner than before. */
  onSooner(handler: (destination: string) => void): void;
  /** Writes what waits. */
  stop(): Promise<void>;
}

export interface SharedBackOffNeeds {
  options: BackOffOptions;
  store: RetryStore;
  bus: Bus;
  clock: Clock;
  log: Log;
  /** Gives numbers from 0 to 1, as `Math.random` does. */
  random?: () => number;
}

/** Servers whose failures are remembered. */
const failingMax = 10_000;
/** A server that sends to us and takes nothing is tried no more often than this. */
const heardPauseMs = 10_000;
/** After rows were missed what is known is read anew, at most this often. */
const rereadMs = 10_000;
/** Pause after the database did not answer. */
const retryMs = 5_000;

export function createSharedBackOff(needs: SharedBackOffNeeds): SharedBackOff {
  const { options, store, bus, clock, log, random = Math.random } = needs;
  const { minMs, factor, maxMs } = options;
  const known = boundedCache<string, Failing>(failingMax);
  /** What has changed here and is to be written. */
  const unsaved = new Map<string, Failing | null>();
  const handlers: ((destination: string) => void)[] = [];
  let saving: Promise<void> | null = null;
  const timers = new Map<() => void, NodeJS.Timeout>();
  let isStopped = false;

  async function save(): Promise<void> {
    while (unsaved.size > 0) {
      const batch = [...unsaved];
      unsaved.clear();
      try {
        // oxlint-disable-next-line no-await-in-loop
        await store.save(batch);
      } catch (error) {
        for (const [name, one] of batch) if (!unsaved.has(name)) unsaved.set(name, one);
        log.warn({ err: error }, 'which servers do not answer could not be written down');
        return;
      }
    }
  }

  function saveSoon(): void {
    saving ??= save().finally(() => {
      saving = null;
      if (unsaved.size > 0) later(saveSoon, retryMs);
    });
  }

  function later(work: () => void, ms: number): void {
    if (isStopped || timers.has(work)) return;
    const run = () => {
      timers.delete(work);
      work();
    };
    timers.set(work, setTimeout(run, ms).unref());
  }

  /** Takes in how a server is, whoever says so. */
  function learn(destination: string, failing: Failing | null): void {
    const before = known.get(destination);
    if (failing) known.set(destination, failing);
    else known.delete(destination);
    if (!before || before.untilTs <= (failing?.untilTs ?? 0)) return;
    for (const handler of handlers) handler(destination);
  }

  function tell(destination: string, failing: Failing | null): void {
    const pos = bus.nextEphemeral();
    bus.publish([{ stream: retryStream, pos, row: { serverName: destination, failing } }]);
    unsaved.set(destination, failing);
    saveSoon();
  }

  async function load(): Promise<void> {
    for (const row of await store.failing(failingMax)) {
      const heard = known.get(row.serverName);
      if (heard && heard.lastTs >= row.lastTs) continue;
      known.set(row.serverName, { ...row, untilTs: row.lastTs + row.intervalMs });
    }
  }

  const read = () =>
    load().catch((error: unknown) => {
      log.warn({ err: error }, 'which servers do not answer could not be read');
      later(reload, retryMs);
    });
  const reload = () => void read();

  bus.subscribe(retryStream, (rows) => {
    for (const { row } of rows) learn(row.serverName, row.failing);
  });
  bus.onMissed(() => later(reload, rereadMs));

  return {
    ready: read(),
    waitMs: (destination) => Math.max(0, (known.get(destination)?.untilTs ?? 0) - clock.now()),
    failing: (destination) => known.get(destination) ?? null,
    failed(destination) {
      const before = known.get(destination);
      const now = clock.now();
      // Requests that were under way together are one failure.
      if (before && before.untilTs > now) return;
      const intervalMs = Math.min(maxMs, before ? before.intervalMs * factor : minMs);
      const share = jitterMin + (1 - jitterMin) * random();
      tell(destination, {
        serverName: destination,
        sinceTs: before?.sinceTs ?? now,
        lastTs: now,
        intervalMs: Math.ceil(intervalMs),
        untilTs: now + Math.ceil(intervalMs * share),
      });
    },
    succeeded(destination) {
      if (known.has(destination)) tell(destination, null);
    },
    heardFrom(destination) {
      const failing = known.get(destination);
      if (!failing) return;
      const untilTs = Math.max(clock.now(), failing.lastTs + Math.min(heardPauseMs, minMs));
      // Should it fail again, it is left alone for longer than before.
      if (untilTs < failing.untilTs) tell(destination, { ...failing, untilTs });
    },
    onSooner: (handler) => void handlers.push(handler),
    async stop() {
      isStopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
      await saving;
    },
  };
}
