import { MatrixError } from '../kernel/errors.ts';
import { commitReceipt } from './commit-receipts.ts';
import type { ReceiptServices } from './needs.ts';
import type { RelationRow } from './store/receipts.ts';
import type { ReceiptType } from './streams.ts';

/** The reader and the room, already known to be joined. */
export interface Reader {
  userNid: number;
  userId: string;
  roomNid: number;
  roomId: string;
}

/** Event ids of all room versions fit; longer ones cannot name an event. */
const eventIdLengthMax = 255;

export function requireEventId(eventId: unknown): asserts eventId is string {
  const isOne =
    typeof eventId === 'string' && eventId.startsWith('$') && eventId.length <= eventIdLengthMax;
  if (!isOne) throw new MatrixError('M_INVALID_PARAM', 'the event to mark must be an event id');
}

function unknownEvent(eventId: string, roomId: string): MatrixError {
  return new MatrixError('M_NOT_FOUND', `there is no event ${eventId} in room ${roomId}`);
}

/** Whether an event, of which the relations are given, belongs to a thread or is its root. */
export function isInThread(relations: readonly RelationRow[], threadId: string): boolean {
  const threaded = relations.find((row) => row.relType === 'm.thread' && row.parentId !== null);
  if (threadId === 'main') return !threaded;
  if (threaded) return threaded.parentId === threadId;
  return relations.some((row) => row.eventId === threadId);
}

/** Moves a receipt of the reader forwards; one that is further stays. Throws M_NOT_FOUND. */
export async function moveReceipt(
  services: ReceiptServices,
  reader: Reader,
  receipt: { type: ReceiptType; eventId: string; threadId: string | null },
): Promise<void> {
  const { userNid, userId, roomNid, roomId } = reader;
  const { type, eventId, threadId } = receipt;
  if (threadId !== null) {
    const relations = await services.store.relations(roomNid, eventId);
    if (relations.length === 0) throw unknownEvent(eventId, roomId);
    if (!isInThread(relations, threadId)) {
      throw new MatrixError(
        'M_INVALID_PARAM',
        `event ${eventId} is not related to thread ${threadId}`,
      );
    }
  }
  const ts = services.clock.now();
  const outcome = await commitReceipt(services.committer, {
    roomNid,
    roomId,
    userNid,
    userId,
    type,
    eventId,
    threadId,
    ts,
    isLocal: true,
  });
  if (outcome === 'unknown_event') throw unknownEvent(eventId, roomId);
}

/** Moves the reader's `m.fully_read` marker forwards. Throws M_NOT_FOUND. */
export async function moveFullyRead(
  services: ReceiptServices,
  reader: Reader,
  eventId: string,
): Promise<void> {
  const { userNid, roomNid, roomId } = reader;
  const { isKnown, isAhead } = await services.store.markerMove(roomNid, userNid, eventId);
  if (!isKnown) throw unknownEvent(eventId, roomId);
  if (isAhead) {
    await services.setRoomAccountData(userNid, roomNid, 'm.fully_read', { event_id: eventId });
  }
}
