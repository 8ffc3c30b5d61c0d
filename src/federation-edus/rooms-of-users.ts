import type { ServerAcls } from '../rooms/module.ts';
import type { JoinedUser, RemoteUserStore } from './store/remote-users.ts';

export interface RoomsOfUsersNeeds {
  users: Pick<RemoteUserStore, 'joined'>;
  serverAcls: Pick<ServerAcls, 'allows'>;
}

/**
 * Those of the pairs of room and user of which the user is joined and the room lets the server take
 * part (server-server spec, "Server Access Control Lists": EDUs about rooms).
 */
export type JoinedUsers = (
  origin: string,
  pairs: readonly { roomId: string; userId: string }[],
) => Promise<JoinedUser[]>;

export function createJoinedUsers({ users, serverAcls }: RoomsOfUsersNeeds): JoinedUsers {
  return async (origin, pairs) => {
    if (pairs.length === 0) return [];
    const joined = await users.joined(pairs);
    const roomNids = [...new Set(joined.map(({ roomNid }) => roomNid))];
    const allowed = await Promise.all(roomNids.map((nid) => serverAcls.allows(nid, origin)));
    const open = new Set(roomNids.filter((_, i) => allowed[i]));
    return joined.filter(({ roomNid }) => open.has(roomNid));
  };
}
