import type { Bus } from '../streams/bus.ts';
import { receiptStream, type Receipt } from './streams.ts';

/** Receipts kept in memory; about 300 bytes each. */
const recentReceiptsMax = 20_000;

interface Known {
  pos: number;
  receipt: Receipt;
}

/**
 * The latest receipts, fed by the stream, so that those who sync need not ask the database for
 * what has just been announced.
 */
export interface RecentReceipts {
  /** Receipts of a room after a position that the reader may see; null: too long ago. */
  after(roomNid: number, afterPos: number, readerNid: number): Receipt[] | null;
}

export function createRecentReceipts(bus: Bus, max = recentReceiptsMax): RecentReceipts {
  // Both in the order of the latest change: an entry that changes goes to the end.
  const order = new Map<string, Known>();
  const rooms = new Map<number, Map<string, Known>>();
  /** Everything after this position is here. */
  let start = bus.position();

  function forget(key: string, known: Known): void {
    order.delete(key);
    const room = rooms.get(known.receipt.roomNid)!;
    room.delete(key);
    if (room.size === 0) rooms.delete(known.receipt.roomNid);
  }

  function add(pos: number, receipt: Receipt): void {
    const { roomNid, userNid, type, threadId } = receipt;
    const key = `${roomNid} ${userNid} ${type} ${threadId ?? ''}`;
    const before = order.get(key);
    if (before && before.pos >= pos) return;
    if (before) forget(key, before);
    const known = { pos, receipt };
    order.set(key, known);
    let room = rooms.get(roomNid);
    if (!room) rooms.set(roomNid, (room = new Map()));
    room.set(key, known);
    if (order.size > max) {
      const [oldestKey, oldest] = order.entries().next().value!;
      forget(oldestKey, oldest);
      start = Math.max(start, oldest.pos);
    }
  }

  bus.subscribe(receiptStream, (rows) => {
    for (const { pos, row } of rows) add(pos, row);
  });

  return {
    after(roomNid, afterPos, readerNid) {
      if (afterPos < start) return null;
      const found: Receipt[] = [];
      for (const { pos, receipt } of rooms.get(roomNid)?.values() ?? []) {
        if (pos <= afterPos) continue;
        if (receipt.type === 'm.read.private' && receipt.userNid !== readerNid) continue;
        found.push(receipt);
      }
      return found;
    },
  };
}
