import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

// The server is what follows the first colon of a user id.
const selectServers = statement<[roomNids: number[]], { roomNid: number; servers: string[] }>(
  'select_joined_servers',
  `select m.room_nid as "roomNid",
     array_agg(distinct substr(u.user_id, strpos(u.user_id, ':') + 1)) as servers
   from memberships m join users u on u.user_nid = m.user_nid
   where m.room_nid = any($1) and m.membership = 'join' and not m.is_local
   group by m.room_nid`,
);

/** Which other servers have joined users in rooms. */
export function createRoomServerStore(database: Queryable) {
  return {
    joinedServers: (roomNids: readonly number[]) => database.query(selectServers, [[...roomNids]]),
  };
}

export type RoomServerStore = ReturnType<typeof createRoomServerStore>;
