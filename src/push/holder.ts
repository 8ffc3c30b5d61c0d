import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { receiptStream } from '../receipts/module.ts';
import { eventStream } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import type { Dispatch } from './dispatch.ts';
import { HeldPushers, type HeldPusher } from './held-pushers.ts';
import type { JudgedRooms } from './judged-rooms.ts';
import type { Judging } from './judging.ts';
import type { NotificationStore } from './store/notifications.ts';
import type { PusherStore } from './store/pushers.ts';
import { pusherStream } from './streams.ts';

export interface HolderNeeds {
  bus: Bus;
  clock: Clock;
  log: Log;
  store: PusherStore;
  notifications: NotificationStore;
  rooms: JudgedRooms;
  judging: Judging;
  dispatch: Dispatch;
  /** Mails come so long after what they tell of. */
  mailDelayMs: number;
}

/** What a process does for the shards of the role `pusher` that it holds. */
export interface Holder {
  taken(shards: readonly number[]): void;
  released(shards: readonly number[]): Promise<void>;
  /** Pushers by kind and app, for metrics. */
  pushers(): Iterable<HeldPusher>;
  /** Forgets notifications that are over. */
  tidy(): Promise<void>;
  stop(): Promise<void>;
}

/** Pause after the database did not answer. */
const retryMs = 1_000;
/** After messages were missed pushers are read anew, at most this often. */
const rereadMs = 10_000;
/** Longer than a push is tried for. */
const keptMs = 3 * 24 * 60 * 60 * 1000;

export function createHolder(needs: HolderNeeds): Holder {
  const { bus, clock, log, store, notifications, rooms, judging, dispatch } = needs;
  const held = new HeldPushers();
  /** Shards and users whose pushers are to be read. */
  const newShards = new Set<number>();
  const changedUsers = new Set<number>();
  let isBehind = false;
  let isClosed = false;
  let running: Promise<void> | null = null;
  let rereadTimer: NodeJS.Timeout | null = null;

  function wake(pusher: HeldPusher): void {
    pusher.isWaiting = true;
    dispatch.wake(pusher);
  }

  function wakeForNew(pusher: HeldPusher): void {
    if (pusher.row.kind === 'email') {
      const now = clock.now();
      const dueTs = now + needs.mailDelayMs;
      pusher.dueTs = pusher.dueTs > now ? Math.min(pusher.dueTs, dueTs) : dueTs;
    }
    wake(pusher);
  }

  async function takeIn(shards: number[]): Promise<void> {
    // First: what an earlier holder keeps after it is judged here once more.
    const progress = await notifications.progress(shards);
    const [rows, waiting] = await Promise.all([
      store.activeOfShards(shards),
      notifications.waiting(shards),
    ]);
    const posOf = new Map(progress.map(({ shard, pos }) => [shard, pos]));
    const unknown = shards.filter((shard) => !posOf.has(shard));
    if (unknown.length > 0) {
      const pos = bus.position();
      await notifications.keep([], { shards: unknown, pos, newUserNids: [], ts: clock.now() });
      for (const shard of unknown) posOf.set(shard, pos);
    }
    for (const shard of shards) {
      // Given away again while this was read.
      if (!newShards.delete(shard)) continue;
      held.shards.set(shard, Math.max(held.shards.get(shard) ?? 0, posOf.get(shard)!));
    }
    const byUser = Map.groupBy(
      rows.filter((row) => held.shards.has(row.shard)),
      (row) => row.userNid,
    );
    for (const userNid of held.userNids()) {
      if (shards.includes(held.shardOf(userNid)!) && !byUser.has(userNid)) held.renew(userNid, []);
    }
    for (const [userNid, own] of byUser) held.renew(userNid, own);
    rooms.forgetAll();
    const nids = new Set(waiting.map(({ pusherNid }) => pusherNid));
    for (const pusher of held.all()) if (nids.has(pusher.row.pusherNid)) wake(pusher);
  }

  async function takeInUsers(userNids: number[]): Promise<void> {
    for (const userNid of userNids) changedUsers.delete(userNid);
    const rows = await store.activeOfUsers(userNids);
    const byUser = Map.groupBy(
      rows.filter((row) => held.shards.has(row.shard)),
      (row) => row.userNid,
    );
    for (const userNid of userNids) {
      if (held.renew(userNid, byUser.get(userNid) ?? [])) rooms.forgetAll();
      held.ofUser(userNid).forEach(wake);
    }
  }

  async function work(): Promise<void> {
    while (isBehind || newShards.size > 0 || changedUsers.size > 0) {
      if (isClosed) return;
      isBehind = false;
      // oxlint-disable-next-line no-await-in-loop
      if (newShards.size > 0) await takeIn([...newShards]);
      // oxlint-disable-next-line no-await-in-loop
      if (changedUsers.size > 0) await takeInUsers([...changedUsers]);
      // oxlint-disable-next-line no-await-in-loop
      const told = await judging.run(held);
      for (const userNid of told) held.ofUser(userNid).forEach(wakeForNew);
    }
  }

  function go(): void {
    if (isClosed || running) return;
    running = work()
      .catch(async (error: unknown) => {
        log.warn({ err: error }, 'events could not be judged for pushers; trying again');
        await new Promise((resolve) => setTimeout(resolve, retryMs));
        isBehind = true;
      })
      .finally(() => {
        running = null;
        const isLeft = isBehind || newShards.size > 0 || changedUsers.size > 0;
        if (isLeft) go();
      });
  }

  bus.subscribe(eventStream, () => {
    isBehind = true;
    // After the bus has moved to the position of these rows.
    setImmediate(go);
  });
  bus.subscribe(pusherStream, (rows) => {
    for (const { row } of rows) changedUsers.add(row.userNid);
    go();
  });
  bus.subscribe(receiptStream, (rows) => {
    for (const { row } of rows) {
      if (!row.isLocal) continue;
      for (const pusher of held.ofUser(row.userNid)) {
        if (pusher.row.kind !== 'http') continue;
        pusher.isBadgeDue = true;
        dispatch.wake(pusher);
      }
    }
  });
  bus.onMissed(() => {
    if (held.shards.size === 0 || isClosed) return;
    rereadTimer ??= setTimeout(() => {
      rereadTimer = null;
      for (const shard of held.shards.keys()) newShards.add(shard);
      go();
    }, rereadMs).unref();
  });

  return {
    taken(shards) {
      for (const shard of shards) newShards.add(shard);
      go();
    },
    async released(shards) {
      for (const shard of shards) newShards.delete(shard);
      const leaving = [...held.all()].filter(({ row }) => shards.includes(row.shard));
      held.release(shards);
      rooms.forgetAll();
      await dispatch.settle(leaving);
    },
    pushers: () => held.all(),
    async tidy() {
      await notifications.forget(clock.now() - keptMs);
    },
    async stop() {
      isClosed = true;
      if (rereadTimer) clearTimeout(rereadTimer);
      await running?.catch(() => undefined);
      await dispatch.stop();
    },
  };
}
