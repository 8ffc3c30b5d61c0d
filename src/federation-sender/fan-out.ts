import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { presenceStream, type Presence } from '../presence/module.ts';
import { receiptStream, type ReceiptRow } from '../receipts/module.ts';
import { eventStream, type RoomServers } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import { typingStream, type TypingRow } from '../typing/module.ts';
import { arrivalIn, presenceOnArrival, type Arrival, type ArrivalNeeds } from './arrivals.ts';
import type { EphemeralEdus } from './ephemeral-edus.ts';

export interface FanOutNeeds extends ArrivalNeeds {
  bus: Bus;
  clock: Clock;
  log: Log;
  servers: Pick<RoomServers, 'joined'>;
  /** The rooms of a user of this server. */
  roomsOf(userNid: number): Promise<readonly number[]>;
  ephemeral: EphemeralEdus;
  /** [federation_rr_transactions_per_room_per_second] */
  receiptsPerSecond: number;
  isActive(): boolean;
  /** Whether this process sends to the server now, and the server answers. */
  isFor(serverName: string): boolean;
  /** There is something new for the server. */
  wake(serverName: string): void;
}

type Row =
  | { kind: 'typing'; row: TypingRow }
  | { kind: 'receipt'; row: ReceiptRow }
  | { kind: 'presence'; row: Presence };

type Waiting = Row | { kind: 'arrival'; row: Arrival };

/** What may wait to be handed out; beyond it the oldest is lost. */
const pendingMax = 10_000;
/** Handed out together. */
const togetherMax = 500;
/** Rooms whose pace is remembered. */
const pacedRoomsMax = 10_000;

/**
 * Hands typing, receipts and presence of this server's users out to the servers concerned. Who first shares
 * a room with users is told how present they are.
 */
export function createFanOut(needs: FanOutNeeds): { stop(): Promise<void> } {
  const { bus, clock, log, servers, ephemeral, isFor } = needs;
  const intervalMs = 1_000 / needs.receiptsPerSecond;
  /** When a room's receipts may go to one more server. */
  const nextTs = new Map<string, number>();
  let pending: Waiting[] = [];
  let running: Promise<void> | null = null;
  let isStopped = false;

  function add(row: Waiting): void {
    pending.push(row);
    if (pending.length > pendingMax) pending = pending.slice(pendingMax / 2);
    running ??= run().finally(() => {
      running = null;
    });
  }

  /** Each server gets its turn for a room, so that large rooms do not lead to a crowd of requests. */
  function handReceipt(row: ReceiptRow, names: readonly string[]): void {
    const now = clock.now();
    let ts = Math.max(now, nextTs.get(row.roomId) ?? 0);
    for (const name of names) {
      // It goes with the one that waits.
      const isWaiting = ephemeral.hasReceiptOf(name, row.roomId);
      ephemeral.receipt(name, row, isWaiting ? Infinity : ts);
      if (!isWaiting) ts += intervalMs;
      needs.wake(name);
    }
    nextTs.set(row.roomId, ts);
    if (nextTs.size <= pacedRoomsMax) return;
    for (const [roomId, roomTs] of nextTs) if (roomTs <= now) nextTs.delete(roomId);
  }

  function hand(
    one: Row,
    roomNids: readonly number[],
    joined: ReadonlyMap<number, ReadonlyMap<string, number>>,
  ) {
    const all = new Set(roomNids.flatMap((nid) => [...joined.get(nid)!.keys()]));
    const names = [...all].filter(isFor);
    if (one.kind === 'receipt') {
      handReceipt(one.row, names);
      return;
    }
    for (const name of names) {
      if (one.kind === 'typing') ephemeral.typing(name, one.row);
      else ephemeral.presence(name, one.row);
      needs.wake(name);
    }
  }

  async function handAll(rows: readonly Waiting[]): Promise<void> {
    const roomNids = await Promise.all(
      rows.map(async (one) =>
        one.kind === 'presence' ? needs.roomsOf(one.row.userNid) : [one.row.roomNid],
      ),
    );
    const joined = await servers.joined([...new Set(roomNids.flat())]);
    const arrivals: Arrival[] = [];
    rows.forEach((one, i) => {
      if (one.kind === 'arrival') arrivals.push(one.row);
      else hand(one, roomNids[i]!, joined);
    });
    for (const [name, presence] of await presenceOnArrival(arrivals, joined, isFor, needs)) {
      ephemeral.presence(name, presence);
      needs.wake(name);
    }
  }

  async function run(): Promise<void> {
    // What one turn of the event loop brings goes together.
    await new Promise((resolve) => void setImmediate(resolve));
    while (pending.length > 0) {
      if (isStopped) return;
      const rows = pending.splice(0, togetherMax);
      try {
        // oxlint-disable-next-line no-await-in-loop
        await handAll(rows);
      } catch (error) {
        log.warn({ err: error }, 'typing, receipts or presence did not go to other servers');
      }
    }
  }

  bus.subscribe(typingStream, (rows) => {
    if (!needs.isActive()) return;
    for (const { row } of rows) if (row.change.isLocal) add({ kind: 'typing', row });
  });
  bus.subscribe(receiptStream, (rows) => {
    if (!needs.isActive()) return;
    for (const { row } of rows) {
      if (row.isLocal && row.type === 'm.read') add({ kind: 'receipt', row });
    }
  });
  bus.subscribe(presenceStream, (rows) => {
    if (!needs.isActive()) return;
    for (const { row } of rows) if (row.isLocal) add({ kind: 'presence', row });
  });
  bus.subscribe(eventStream, (rows) => {
    if (!needs.isActive()) return;
    for (const { pos, row } of rows) {
      const arrival = row.memberships.length > 0 ? arrivalIn(row, pos) : null;
      if (arrival) add({ kind: 'arrival', row: arrival });
    }
  });

  return {
    async stop() {
      isStopped = true;
      await running;
    },
  };
}
