import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { RoomServices } from '../rooms/module.ts';
import type { DelayedEventStore, DelayedRow } from './store/delayed-events.ts';

/** Sent at once; the others follow. */
const dueMax = 100;
/** Looked at without being told: what told of it may have been lost. */
const lookMs = 30_000;
/** After a failure that may pass. */
const retryMs = 5_000;

export interface SenderNeeds {
  store: DelayedEventStore;
  writer: RoomServices['writer'];
  clock: Clock;
  log: Log;
}

/** Sends events of the shards that are held here when they are due. */
export interface DelayedEventSender {
  take(shards: readonly number[]): void;
  release(shards: readonly number[]): Promise<void>;
  /** Something is due at that time. */
  expect(shard: number, sendTs: number): void;
  /** Something may be due at any time. */
  look(): void;
  /** Sends one that has been taken. Throws M_USER_SUSPENDED and what the room says to it. */
  send(row: DelayedRow): Promise<void>;
  stop(): Promise<void>;
}

export function createDelayedEventSender(needs: SenderNeeds): DelayedEventSender {
  const { store, writer, clock, log } = needs;
  const held = new Set<number>();
  let timer: NodeJS.Timeout | null = null;
  let timerTs = Infinity;
  let running: Promise<void> | null = null;
  let isStopped = false;

  async function send(row: DelayedRow) {
    const { delayId, userId, roomId, type, stateKey, content, stickyMs } = row;
    const event = {
      sender: userId,
      type,
      content: JSON.parse(content) as JsonObject,
      ...(stateKey === null ? {} : { stateKey }),
      ...(stickyMs === null ? {} : { stickyMs }),
    };
    // However often it is tried, it is sent once.
    const transaction = { deviceNid: null, txnId: delayId, scope: 'delayed' };
    try {
      if (row.isSuspended) {
        throw new MatrixError('M_USER_SUSPENDED', 'The sender is suspended');
      }
      if (!row.isShadowBanned) await writer.append({ roomId, events: [event], transaction });
    } catch (error) {
      const isFinal =
        error instanceof MatrixError && error.status < 500 && error.code !== 'M_LIMIT_EXCEEDED';
      if (isFinal) await store.finish([delayId], clock.now());
      else await store.giveBack([delayId], clock.now() + retryMs);
      throw error;
    }
    await store.finish([delayId], clock.now());
  }

  async function sendInTurn(rows: readonly DelayedRow[]): Promise<void> {
    for (const row of rows) {
      try {
        // The events of a room follow each other as they were due.
        // oxlint-disable-next-line no-await-in-loop
        await send(row);
      } catch (error) {
        const { delayId, roomId } = row;
        log.info({ err: error, delayId, roomId }, 'a delayed event was not sent');
      }
    }
  }

  async function look(): Promise<void> {
    for (;;) {
      const shards = [...held];
      if (isStopped || shards.length === 0) return;
      // oxlint-disable-next-line no-await-in-loop
      const due = await store.takeDue(shards, clock.now(), dueMax);
      const byRoom = Map.groupBy(due, ({ roomId }) => roomId);
      // oxlint-disable-next-line no-await-in-loop
      await Promise.all([...byRoom.values()].map(sendInTurn));
      if (due.length < dueMax) break;
    }
    const nextTs = await store.nextTs([...held]);
    lookAt(Math.min(nextTs ?? Infinity, clock.now() + lookMs));
  }

  function run(): void {
    timer = null;
    timerTs = Infinity;
    running = (running ?? Promise.resolve()).then(look).catch((error: unknown) => {
      log.warn({ err: error }, 'delayed events could not be looked for');
      lookAt(clock.now() + retryMs);
    });
  }

  function lookAt(ts: number): void {
    if (isStopped || held.size === 0 || ts >= timerTs) return;
    if (timer) clearTimeout(timer);
    timerTs = ts;
    timer = setTimeout(run, Math.max(0, ts - clock.now()));
    timer.unref();
  }

  return {
    take(shards) {
      for (const shard of shards) held.add(shard);
      void store
        .giveBackShards([...shards])
        .catch((error: unknown) => log.warn({ err: error }, 'delayed events could not be taken'))
        .then(() => lookAt(clock.now()));
    },
    async release(shards) {
      for (const shard of shards) held.delete(shard);
      await running;
    },
    expect(shard, sendTs) {
      if (held.has(shard)) lookAt(sendTs);
    },
    look: () => lookAt(clock.now()),
    send,
    async stop() {
      isStopped = true;
      if (timer) clearTimeout(timer);
      await running;
    },
  };
}
