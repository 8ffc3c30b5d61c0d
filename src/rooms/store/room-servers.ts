import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

interface JoinedServers {
  roomNid: number;
  servers: string[];
  /** Of each of the servers: of the oldest membership event by which a user of it is joined. */
  positions: number[];
}

// The server is what follows the first colon of a user id.
const selectServers = statement<[roomNids: number[]], JoinedServers>(
  'select_joined_servers',
  `select room_nid as "roomNid", array_agg(server) as servers, array_agg(pos) as positions
   from (
     select m.room_nid, substr(u.user_id, strpos(u.user_id, ':') + 1) as server, min(m.pos) as pos
     from memberships m join users u on u.user_nid = m.user_nid
     where m.room_nid = any($1) and m.membership = 'join' and not m.is_local
     group by 1, 2) as joined
   group by room_nid`,
);

/** Which other servers have joined users in rooms. */
export function createRoomServerStore(database: Queryable) {
  return {
    joinedServers: (roomNids: readonly number[]) => database.query(selectServers, [[...roomNids]]),
  };
}

export type RoomServerStore = ReturnType<typeof createRoomServerStore>;
