import { MatrixError } from '../kernel/errors.ts';
import {
  readableTimeline,
  relationOf,
  type RoomAccess,
  type RoomServices,
  type StoredEvent,
} from '../rooms/module.ts';
import type { Committer } from '../streams/committer.ts';
import {
  subscribe,
  unsubscribe,
  type ChangedRow,
  type ThreadSubscriptionStore,
} from './store/thread-subscriptions.ts';
import { threadSubscriptionStream, type ThreadSubscriptionRow } from './streams.ts';

export interface ThreadUser {
  userId: string;
  userNid: number;
}

export interface ThreadSubscriptionServices {
  rooms: RoomServices;
  committer: Committer;
  store: ThreadSubscriptionStore;
}

/** Events that the user may see: the root of the thread, then others. Throws M_NOT_FOUND. */
async function visibleEvents(
  { rooms }: ThreadSubscriptionServices,
  user: ThreadUser,
  roomId: string,
  [rootId, ...otherIds]: readonly [string, ...string[]],
): Promise<{ access: RoomAccess; events: StoredEvent[] }> {
  if (!rootId.startsWith('$')) throw new MatrixError('M_INVALID_PARAM', 'That is no event id');
  const readable = await readableTimeline(rooms, roomId, user).catch((error: unknown) => {
    // Whether there is such a thread is nobody's business who may not read it.
    if (error instanceof MatrixError && error.code === 'M_FORBIDDEN') return null;
    throw error;
  });
  if (!readable) throw new MatrixError('M_NOT_FOUND', 'There is no such thread');
  const { access, visibility } = readable;
  const found = await Promise.all(
    [rootId, ...otherIds].map((eventId) => rooms.timeline.event(access.roomNid, eventId)),
  );
  const events = found.map((event, i) => {
    if (event?.status === 0 && event.pos !== null && visibility.allows(event)) return event;
    const what = i === 0 ? 'There is no such thread' : 'There is no such event';
    throw new MatrixError('M_NOT_FOUND', what);
  });
  return { access, events };
}

function announced(row: ThreadSubscriptionRow, pos: number) {
  return { stream: threadSubscriptionStream, pos, row };
}

/**
 * Subscribes a user to a thread. `automaticId`: the event in the thread because of which the client
 * does so. Throws M_NOT_FOUND, and as MSC4306 has it when that event is in no thread or the user has
 * unsubscribed since.
 */
export async function subscribeToThread(
  services: ThreadSubscriptionServices,
  user: ThreadUser,
  roomId: string,
  threadId: string,
  automaticId: string | null,
): Promise<void> {
  const ids: [string, ...string[]] = automaticId === null ? [threadId] : [threadId, automaticId];
  const { access, events } = await visibleEvents(services, user, roomId, ids);
  const cause = automaticId === null ? null : events[1]!;
  const relation = cause && relationOf(cause);
  if (cause && (relation?.relType !== 'm.thread' || relation.parentId !== threadId)) {
    throw new MatrixError(
      'IO.ELEMENT.MSC4306.M_NOT_IN_THREAD',
      'An automatic subscription needs an event in the thread',
    );
  }
  const { roomNid } = access;
  const { userNid } = user;
  const isConflict = await services.committer.write<ChangedRow, boolean>(
    {
      statement: subscribe as never,
      params: [userNid, roomNid, threadId, cause ? cause.pos! : null],
    },
    ([changed]) => {
      const { pos, sincePos, isConflict: hasConflict } = changed!;
      if (pos === null) return { result: hasConflict, publish: [] };
      const row = {
        userNid,
        roomNid,
        roomId: access.roomId,
        threadId,
        sincePos,
        isSubscribed: true,
        isAutomatic: cause !== null,
      };
      return { result: false, publish: [announced(row, pos)] };
    },
  );
  if (isConflict) {
    throw new MatrixError(
      'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION',
      'The user has unsubscribed after that event',
    );
  }
}

/** Does nothing when the user does not subscribe to the thread. Throws M_NOT_FOUND. */
export async function unsubscribeFromThread(
  services: ThreadSubscriptionServices,
  user: ThreadUser,
  roomId: string,
  threadId: string,
): Promise<void> {
  const { access } = await visibleEvents(services, user, roomId, [threadId]);
  const { roomNid } = access;
  const { userNid } = user;
  await services.committer.write<{ pos: number }, void>(
    { statement: unsubscribe as never, params: [userNid, roomNid, threadId] },
    (rows) => ({
      result: undefined,
      publish: rows.map(({ pos }) => {
        const row = { userNid, roomNid, roomId: access.roomId, threadId, sincePos: pos };
        return announced({ ...row, isSubscribed: false, isAutomatic: false }, pos);
      }),
    }),
  );
}

/** Throws M_NOT_FOUND, also when the user does not subscribe to the thread. */
export async function subscriptionOf(
  services: ThreadSubscriptionServices,
  user: ThreadUser,
  roomId: string,
  threadId: string,
): Promise<{ isAutomatic: boolean }> {
  const { access } = await visibleEvents(services, user, roomId, [threadId]);
  const found = await services.store.subscription(user.userNid, access.roomNid, threadId);
  if (!found) throw new MatrixError('M_NOT_FOUND', 'The user does not subscribe to the thread');
  return found;
}
