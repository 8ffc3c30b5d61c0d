import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Bus } from '../streams/bus.ts';
import type { Committer } from '../streams/committer.ts';
import { commitReceipt, type NewReceipt } from './commit-receipts.ts';
import { postReceipt } from './endpoints/post-receipt.ts';
import { setReadMarker } from './endpoints/set-read-marker.ts';
import type { ReceiptSurroundings } from './needs.ts';
import { createRecentReceipts } from './recent-receipts.ts';
import { createReceiptStore, type RoomSince } from './store/receipts.ts';
import { receiptStream, type Receipt } from './streams.ts';

export { receiptStream } from './streams.ts';
export type { Receipt, ReceiptRow, ReceiptType } from './streams.ts';
export { receiptEventJson } from './receipt-event.ts';
export type { ReceiptSurroundings } from './needs.ts';
export type { RoomSince } from './store/receipts.ts';

export interface ReceiptsNeeds extends ReceiptSurroundings {
  clock: Clock;
  database: Database;
  committer: Committer;
  bus: Bus;
}

/** A receipt that another server has sent; the user is known to be joined. */
export type RemoteReceipt = Omit<NewReceipt, 'type' | 'isLocal'>;

export interface Receipts {
  endpoints: Endpoint[];
  /**
   * Receipts of rooms that changed after a position each, by room, without others' private ones;
   * rooms without any are absent. From memory when recent, else one query for all rooms.
   */
  changed(
    rooms: readonly RoomSince[],
    uptoPos: number,
    readerNid: number,
  ): Promise<Map<number, readonly Receipt[]>>;
  /** All of a user's own receipts in rooms, for unread counts; one query. */
  own(userNid: number, roomNids: number[]): Promise<Receipt[]>;
  /** Stores `m.read` receipts of other servers' users. Those at unknown events are dropped. */
  receive(receipts: readonly RemoteReceipt[]): Promise<void>;
}

/** Read receipts and the fully-read marker. */
export function createReceipts(needs: ReceiptsNeeds): Receipts {
  const { clock, committer, rooms, setRoomAccountData, noteActivity } = needs;
  const store = createReceiptStore(needs.database);
  needs.bus.recoverWith(receiptStream, async (afterPos, uptoPos) => {
    const rows = await store.stream(afterPos, uptoPos);
    return rows.map(({ pos, ...row }) => ({ pos, row }));
  });
  const recent = createRecentReceipts(needs.bus);
  const services = { clock, committer, rooms, setRoomAccountData, noteActivity, store };
  return {
    endpoints: bindEndpoints([postReceipt, setReadMarker], services),
    async changed(wanted, uptoPos, readerNid) {
      const found = new Map<number, Receipt[]>();
      const older: RoomSince[] = [];
      for (const room of wanted) {
        const receipts = recent.after(room.roomNid, room.afterPos, readerNid);
        if (receipts === null) older.push(room);
        else if (receipts.length > 0) found.set(room.roomNid, receipts);
      }
      if (older.length === 0) return found;
      for (const receipt of await store.changed(older, uptoPos, readerNid)) {
        const list = found.get(receipt.roomNid);
        if (list) list.push(receipt);
        else found.set(receipt.roomNid, [receipt]);
      }
      return found;
    },
    own: (userNid, roomNids) => store.own(userNid, roomNids),
    async receive(receipts) {
      await Promise.all(
        receipts.map((receipt) =>
          commitReceipt(committer, { ...receipt, type: 'm.read', isLocal: false }),
        ),
      );
    },
  };
}
