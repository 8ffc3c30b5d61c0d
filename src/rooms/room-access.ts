import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Bus } from '../streams/bus.ts';
import { MatrixError } from '../kernel/errors.ts';
import { eventStream, removedRoomStream } from './streams.ts';
import type { AccessRow, AccessStore } from './store/access.ts';

/** A room and what a user is in it, as of now. */
export interface RoomAccess {
  roomNid: number;
  roomId: string;
  roomVersion: string;
  /** `leave` also for those who never were members. */
  membership: string;
  /** Position of the membership event; 0 without one. */
  pos: number;
  isForgotten: boolean;
}

export interface AccessUser {
  userId: string;
  userNid: number;
}

/** Pairs of user and room kept in memory; about 200 bytes each. */
const cachedPairsMax = 100_000;

/** What users are in rooms, remembered and kept true by the event stream. */
export interface RoomAccessCache {
  /** Null: the room is unknown here. Synchronous when it is remembered. */
  of(roomId: string, userNid: number): RoomAccess | null | Promise<RoomAccess | null>;
  /** Throws M_FORBIDDEN unless the user is joined. */
  joined(roomId: string, user: AccessUser): Promise<RoomAccess>;
  forget(roomId: string, userNid: number): void;
}

export function createRoomAccess(store: AccessStore, bus: Bus): RoomAccessCache {
  const cache = boundedCache<string, RoomAccess>(cachedPairsMax);
  const keyOf = (roomId: string, userNid: number) => `${userNid} ${roomId}`;
  let changes = 0;

  bus.subscribe(eventStream, (rows) => {
    for (const { pos, row } of rows) {
      for (const { isLocal, userNid, to } of row.memberships) {
        if (!isLocal) continue;
        changes++;
        const key = keyOf(row.roomId, userNid);
        const known = cache.peek(key);
        if (known) cache.set(key, { ...known, membership: to, pos, isForgotten: false });
      }
    }
  });

  bus.subscribe(removedRoomStream, (rows) => {
    changes++;
    const gone = new Set(rows.map(({ row }) => row.roomNid));
    for (const [key, { roomNid }] of cache.entries()) if (gone.has(roomNid)) cache.delete(key);
  });

  async function load(roomId: string, userNid: number): Promise<RoomAccess | null> {
    const changesBefore = changes;
    const row = await store.access(roomId, userNid);
    if (!row) return null;
    const access = accessOf(row);
    // Something may have changed while the database answered: then it is not kept.
    if (changesBefore === changes) cache.set(keyOf(roomId, userNid), access);
    return access;
  }

  const isAlone = bus.tag === '';

  const of: RoomAccessCache['of'] = (roomId, userNid) => {
    const known = cache.get(keyOf(roomId, userNid));
    // Another process may have let the user in just now.
    const isCurrent = known && (isAlone || known.membership === 'join');
    return isCurrent ? known : load(roomId, userNid);
  };

  return {
    of,
    async joined(roomId, user) {
      const access = await of(roomId, user.userNid);
      if (access?.membership !== 'join') throw notInRoom(user.userId, roomId);
      return access;
    },
    forget(roomId, userNid) {
      cache.delete(keyOf(roomId, userNid));
    },
  };
}

function accessOf(row: AccessRow): RoomAccess {
  return {
    roomNid: row.roomNid,
    roomId: row.roomId,
    roomVersion: row.roomVersion,
    membership: row.membership ?? 'leave',
    pos: row.pos ?? 0,
    isForgotten: row.isForgotten ?? false,
  };
}

/** What a user is told who is not, or no longer, in a room. */
export function notInRoom(userId: string, roomId: string): MatrixError {
  return new MatrixError('M_FORBIDDEN', `User ${userId} not in room ${roomId}`);
}
