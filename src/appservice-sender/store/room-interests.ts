import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { memberTypeNid, membershipIn } from '../../rooms/module.ts';

/** A room by what services may be interested in. */
export interface NamedRoom {
  roomNid: number;
  roomId: string;
  aliases: string[];
}

const selectRooms = statement<[roomNids: number[]], NamedRoom>(
  'select_rooms_with_aliases',
  `select room_nid as "roomNid", room_id as "roomId",
     array(select alias from room_aliases a where a.room_nid = r.room_nid) as aliases
   from rooms r where room_nid = any($1)`,
);

/** While a user was joined to a room: from the one position on, before the other. */
export interface MemberSpan {
  roomNid: number;
  userId: string;
  fromPos: number;
  toPos: number;
}

const selectSpans = statement<
  [roomNids: number[], prefixes: string[], afterPos: number, uptoPos: number],
  MemberSpan
>(
  'select_joined_spans_of_local_users',
  `with members as materialized (
     select m.room_nid, u.user_id from memberships m join users u on u.user_nid = m.user_nid
       where m.room_nid = any($1) and m.is_local and u.user_id ^@ any($2::text[]))
   select s.room_nid as "roomNid", m.user_id as "userId", s.from_pos as "fromPos",
     s.to_pos as "toPos"
   from members m
     join room_state s on s.room_nid = m.room_nid and s.type_nid = ${memberTypeNid}
       and s.state_key = m.user_id and s.to_pos > $3 and s.to_pos > s.from_pos
       and s.from_pos <= $4
     join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
   where ${membershipIn('e.content')} = 'join'
   order by s.room_nid, s.from_pos`,
);

/** Why services are interested in rooms. */
export function createRoomInterestStore(database: Queryable) {
  return {
    rooms: (roomNids: number[]) => database.query(selectRooms, [roomNids]),
    /**
     * When users of this server whose ids begin with one of the texts were in the rooms, as far as it
     * was after one position and began no later than another; by room, in order.
     */
    spans: (roomNids: number[], prefixes: string[], afterPos: number, uptoPos: number) =>
      database.query(selectSpans, [roomNids, prefixes, afterPos, uptoPos]),
  };
}

export type RoomInterestStore = ReturnType<typeof createRoomInterestStore>;
