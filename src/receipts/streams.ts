import { defineStream } from '../streams/define-stream.ts';

export type ReceiptType = 'm.read' | 'm.read.private';

/** How far a user has read. */
export interface Receipt {
  roomNid: number;
  userNid: number;
  userId: string;
  type: ReceiptType;
  /** Root of the thread, `main`, or null: all of the room, whatever the thread. */
  threadId: string | null;
  eventId: string;
  /** The event's place in the timeline. */
  eventPos: number;
  eventSub: number;
  /** Milliseconds since 1970. */
  ts: number;
}

/** A receipt that has moved. */
export interface ReceiptRow extends Receipt {
  roomId: string;
  /** The user is this server's. */
  isLocal: boolean;
}

export const receiptStream = defineStream<ReceiptRow>({
  name: 'receipts',
  durable: true,
  shardedBy: 'room',
});
