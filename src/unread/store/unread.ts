import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';
import { eventColumns, type StoredEvent } from '../../rooms/module.ts';

/** What push rules ask about a room, and about a user in it. */
export interface RoomFactsRow {
  roomNid: number;
  roomId: string;
  roomVersion: string;
  joinedCount: number;
  /** JSON texts; null: no such event. */
  powerLevels: string | null;
  create: string;
  creator: string;
  /** The user's own member event and since when it holds. */
  member: string | null;
  joinedPos: number;
  /** Position of the room's newest event. */
  lastPos: number;
}

const current = (type: string, stateKey: string, columns: string) => `
  (select ${columns} from room_state s
     join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
     join users u on u.user_nid = e.sender_nid
   where s.room_nid = r.room_nid
     and s.type_nid = (select type_nid from event_types where event_type = '${type}')
     and s.state_key = ${stateKey} and s.to_pos = 9223372036854775807)`;

const selectFacts = statement<[number[], string], RoomFactsRow>(
  'unread_room_facts',
  `select r.room_nid as "roomNid", r.room_id as "roomId", r.room_version as "roomVersion",
     r.joined_count as "joinedCount",
     ${current('m.room.power_levels', "''", 'e.content')} as "powerLevels",
     ${current('m.room.create', "''", 'e.content')} as "create",
     ${current('m.room.create', "''", 'u.user_id')} as creator,
     ${current('m.room.member', '$2', 'e.content')} as member,
     coalesce((
       select max(s.to_pos) from room_state s
         join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
       where s.room_nid = r.room_nid
         and s.type_nid = (select type_nid from event_types where event_type = 'm.room.member')
         and s.state_key = $2 and s.to_pos < 9223372036854775807
         and ${readableJson('e.content')} ->> 'membership' <> 'join'),
       ${current('m.room.member', '$2', 's.from_pos')}, 0) as "joinedPos",
     (select max(e.pos) from events e where e.room_nid = r.room_nid) as "lastPos"
   from rooms r where r.room_nid = any($1)`,
);

const selectEvents = statement<[number[], number[], number, number], StoredEvent>(
  'unread_events',
  `select ${eventColumns} from unnest($1::bigint[], $2::bigint[]) as w(room_nid, after_pos)
   cross join lateral (
     select * from events e where e.room_nid = w.room_nid and e.pos > w.after_pos and e.sub = 0
       and e.sender_nid <> $3 and e.status = 0 and e.redacted_by is null
       order by e.pos desc, e.sub desc limit $4) e`,
);

/** Reads for unread counts: a round trip for all rooms. */
export function createUnreadStore(database: Queryable) {
  return {
    facts: (roomNids: number[], userId: string) => database.query(selectFacts, [roomNids, userId]),
    /**
     * Others' events after a position in each room, without redacted ones; the newest when there are
     * more than `most`.
     */
    events: (
      rooms: readonly { roomNid: number; afterPos: number }[],
      userNid: number,
      most: number,
    ) =>
      database.query(selectEvents, [
        rooms.map((room) => room.roomNid),
        rooms.map((room) => room.afterPos),
        userNid,
        most,
      ]),
  };
}

export type UnreadStore = ReturnType<typeof createUnreadStore>;
