import type { Clock } from '../kernel/clock.ts';
import { isEventId, isRoomId } from '../matrix/ids.ts';
import type { JsonObject, JsonValue } from '../matrix/pdu.ts';
import type { Receipts } from '../receipts/module.ts';
import { eventIdLengthMax, receiptsMax } from './limits.ts';
import { objectIn, ownUserIn, textIn, timeIn, type EduHandler } from './reading.ts';
import type { JoinedUsers } from './rooms-of-users.ts';

interface Read {
  roomId: string;
  userId: string;
  eventId: string;
  threadId: string | null;
  /** Null: the server does not say when. */
  ts: number | null;
}

/** Null: it is none. */
function readIn(receipt: JsonValue | undefined): Omit<Read, 'roomId' | 'userId'> | null {
  const { event_ids: eventIds, data } = objectIn(receipt) ?? {};
  const eventId = Array.isArray(eventIds) ? eventIds[0] : undefined;
  if (typeof eventId !== 'string' || !isEventId(eventId)) return null;
  const { ts, thread_id: thread } = objectIn(data) ?? {};
  const threadId = thread === undefined ? null : textIn(thread, eventIdLengthMax);
  if (threadId === '' || (thread !== undefined && threadId === null)) return null;
  return { eventId, threadId, ts: timeIn(ts) };
}

/** Only `m.read`: that somebody has read in private is not told to others. */
function readsIn(content: JsonObject, origin: string): Read[] {
  const found: Read[] = [];
  for (const [roomId, types] of Object.entries(content)) {
    if (!isRoomId(roomId)) continue;
    const users = objectIn(objectIn(types)?.['m.read']) ?? {};
    for (const [user, receipt] of Object.entries(users)) {
      const userId = ownUserIn(user, origin);
      const read = userId === null ? null : readIn(receipt);
      if (userId === null || !read) continue;
      found.push({ roomId, userId, ...read });
      if (found.length === receiptsMax) return found;
    }
  }
  return found;
}

/** `m.receipt`: how far users of another server have read. */
export function createReceiptHandler(
  joinedUsers: JoinedUsers,
  receive: Receipts['receive'],
  clock: Clock,
): EduHandler {
  const keyOf = (one: { roomId: string; userId: string }) => `${one.userId} ${one.roomId}`;
  return async (origin, content) => {
    const reads = readsIn(content, origin);
    const joined = await joinedUsers(origin, reads);
    const byPair = new Map(joined.map((one) => [keyOf(one), one]));
    const now = clock.now();
    const receipts = reads.flatMap((read) => {
      const user = byPair.get(keyOf(read));
      if (!user) return [];
      const { eventId, threadId, ts } = read;
      return [{ ...user, eventId, threadId, ts: ts ?? now }];
    });
    if (receipts.length > 0) await receive(receipts);
  };
}
