import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Requester } from '../http/endpoint.ts';
import type { AccountData } from './entries.ts';
import type { StoredFilters } from './stored-filters.ts';
import type { AccountDataStore } from './store/account-data.ts';

/** A room and the user's membership there, as this domain asks for it. */
export interface RoomLookup {
  of(
    roomId: string,
    userNid: number,
  ):
    | { roomNid: number; membership: string }
    | null
    | Promise<{ roomNid: number; membership: string } | null>;
}

export interface AccountDataServices {
  clock: Clock;
  data: AccountData;
  store: AccountDataStore;
  filters: StoredFilters;
  rooms: RoomLookup;
  /** An empty content deletes an entry (MSC3391). */
  emptyDeletes: boolean;
  /** An account of this server. Throws M_INVALID_PARAM, M_NOT_FOUND. */
  accountOf(userId: string): Promise<{ userNid: number }>;
}

/** Users reach their own data only. Throws M_FORBIDDEN. */
export function checkOwn(requester: Requester, userId: string, what: string): void {
  if (requester.userId !== userId) {
    throw new MatrixError('M_FORBIDDEN', `Cannot access ${what} of other users.`);
  }
}

/** The number of a room that is known here. Throws M_NOT_FOUND. */
export async function roomNidOf(
  services: AccountDataServices,
  roomId: string,
  requester: Requester,
): Promise<number> {
  if (!roomId.startsWith('!')) {
    throw new MatrixError('M_INVALID_PARAM', `${roomId} is not a valid room ID`);
  }
  const access = await services.rooms.of(roomId, requester.userNid);
  if (!access) throw new MatrixError('M_NOT_FOUND', 'This server does not know the room');
  return access.roomNid;
}
