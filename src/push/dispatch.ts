import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { HeldPusher } from './held-pushers.ts';
import type { NotificationStore, PendingRow } from './store/notifications.ts';
import type { PusherOutcome, PusherStore } from './store/pushers.ts';

/** How a kind of pusher tells of what waits. */
export interface Teller {
  /** Notes what came of it in the pusher. `succeeded`: something was told. */
  push(pusher: HeldPusher, pending: readonly PendingRow[]): Promise<{ succeeded: boolean }>;
  pushCount?(pusher: HeldPusher): Promise<void>;
  /** Most notifications that one call is given. */
  readonly pendingMax: number;
}

export interface DispatchNeeds {
  clock: Clock;
  log: Log;
  notifications: Pick<NotificationStore, 'pending'>;
  store: Pick<PusherStore, 'note'>;
  tellerOf(pusher: HeldPusher): Teller | null;
}

/** Gives pushers their turns: a bounded number at a time, each its notifications in order. */
export interface Dispatch {
  /** There may be something to do for the pusher. */
  wake(pusher: HeldPusher): void;
  /** Resolves when the pushers have ended what they do, or take too long, and it is written down. */
  settle(pushers: Iterable<HeldPusher>): Promise<void>;
  /** Nothing begins any more; then as `settle` for all. */
  stop(): Promise<void>;
}

/** Pushers that push at the same time: gateways are slow, and answers are waited for. */
const runningMax = 64;
/** Pause after the database did not answer. */
const retryMs = 1_000;
/** How long giving work away may take. */
const settleMsMax = 4_000;
/** `setTimeout` takes no more. */
const timerMsMax = 2 ** 31 - 1;

export function createDispatch(needs: DispatchNeeds): Dispatch {
  const { clock, log, notifications, store } = needs;
  const ready = new Set<HeldPusher>();
  const timers = new Map<HeldPusher, NodeJS.Timeout>();
  const outcomes = new Map<number, PusherOutcome>();
  const runs = new Map<HeldPusher, Promise<void>>();
  let running = 0;
  let isFetching = false;
  let isStopped = false;
  let writing: Promise<void> | null = null;

  function wake(pusher: HeldPusher): void {
    if (pusher.isGone || pusher.isRunning) return;
    const waitMs = pusher.dueTs - clock.now();
    if (waitMs <= 0) {
      ready.add(pusher);
      setImmediate(pump);
      return;
    }
    clearTimeout(timers.get(pusher));
    const again = () => {
      timers.delete(pusher);
      wake(pusher);
    };
    timers.set(pusher, setTimeout(again, Math.min(waitMs, timerMsMax)).unref());
  }

  async function write(): Promise<void> {
    while (outcomes.size > 0) {
      const batch = [...outcomes.values()];
      outcomes.clear();
      try {
        // oxlint-disable-next-line no-await-in-loop
        await store.note(batch);
      } catch (error) {
        // Those that have not come further meanwhile; written with the next ones.
        for (const one of batch) {
          if (!outcomes.has(one.pusherNid)) outcomes.set(one.pusherNid, one);
        }
        log.warn({ err: error }, 'what became of pushes could not be written down');
        return;
      }
    }
  }

  function writeSoon(): Promise<void> {
    writing ??= write().finally(() => {
      writing = null;
    });
    return writing;
  }

  async function run(pusher: HeldPusher, rows: readonly PendingRow[]): Promise<void> {
    const teller = needs.tellerOf(pusher);
    if (!teller) return;
    const { pos, failingSinceTs } = pusher;
    let succeeded = false;
    if (rows.length > 0) ({ succeeded } = await teller.push(pusher, rows));
    if (pusher.isBadgeDue) {
      pusher.isBadgeDue = false;
      await teller.pushCount?.(pusher);
    }
    if (rows.length === teller.pendingMax || pusher.dueTs > clock.now()) pusher.isWaiting = true;
    if (pusher.pos === pos && pusher.failingSinceTs === failingSinceTs) return;
    outcomes.set(pusher.row.pusherNid, {
      pusherNid: pusher.row.pusherNid,
      pos: pusher.pos,
      lastSuccessTs: succeeded ? clock.now() : null,
      failingSinceTs: pusher.failingSinceTs,
    });
    void writeSoon();
  }

  function ended(pusher: HeldPusher): void {
    running--;
    runs.delete(pusher);
    pusher.isRunning = false;
    if (pusher.isWaiting || pusher.isBadgeDue) wake(pusher);
    pump();
  }

  function begin(pusher: HeldPusher, rows: readonly PendingRow[]): void {
    const end = run(pusher, rows)
      .catch((error: unknown) => {
        pusher.dueTs = clock.now() + retryMs;
        pusher.isWaiting = true;
        log.error({ err: error }, 'bug: a pusher failed');
      })
      .finally(() => ended(pusher));
    runs.set(pusher, end);
  }

  async function fetch(taken: readonly HeldPusher[]): Promise<void> {
    const wanted = taken
      .filter((pusher) => pusher.isWaiting)
      .map((pusher) => ({
        pusherNid: pusher.row.pusherNid,
        userNid: pusher.row.userNid,
        pos: pusher.pos,
        most: needs.tellerOf(pusher)?.pendingMax ?? 0,
      }));
    for (const pusher of taken) pusher.isWaiting = false;
    const rows = wanted.length > 0 ? await notifications.pending(wanted) : [];
    const byNid = Map.groupBy(rows, (row) => row.pusherNid);
    for (const pusher of taken) begin(pusher, byNid.get(pusher.row.pusherNid) ?? []);
  }

  function pump(): void {
    if (isStopped || isFetching || ready.size === 0 || running >= runningMax) return;
    const taken = [...ready].slice(0, runningMax - running);
    for (const pusher of taken) {
      ready.delete(pusher);
      pusher.isRunning = true;
    }
    running += taken.length;
    isFetching = true;
    fetch(taken)
      .catch((error: unknown) => {
        log.warn({ err: error }, 'notifications could not be read; trying again');
        for (const pusher of taken) {
          pusher.isWaiting = true;
          pusher.dueTs = Math.max(pusher.dueTs, clock.now() + retryMs);
          ended(pusher);
        }
      })
      .finally(() => {
        isFetching = false;
        pump();
      });
  }

  return {
    wake,
    async settle(pushers) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, settleMsMax);
      });
      const ends = [...pushers].flatMap((pusher) => runs.get(pusher) ?? []);
      await Promise.race([Promise.all(ends), late]);
      clearTimeout(timer);
      await writeSoon();
    },
    async stop() {
      isStopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
      await this.settle(runs.keys());
    },
  };
}
