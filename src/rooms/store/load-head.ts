import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { eventColumns, endless } from './columns.ts';
import type { StoredEvent } from '../stored-event.ts';

export interface RoomRow {
  roomNid: number;
  roomId: string;
  roomVersion: string;
  joinedCount: number;
  invitedCount: number;
  isBlocked: boolean;
}

/** What a reference hash is taken of, beside the content. */
export interface HashedParts {
  /** Read for room versions 1 and 2 only, whose references to events carry hashes. */
  envelope: string | null;
  contentAt: number;
}

export interface ExtremityRow extends HashedParts {
  eventId: string;
  eventNid: number;
  depth: number;
  /** Milliseconds since 1970. */
  originServerTs: number;
  content: string;
}

const hashedParts = `
  case when r.room_version in ('1', '2') then e.envelope end as envelope,
  e.content_at as "contentAt"`;

const selectRoom = statement<[string], RoomRow>(
  'select_room',
  `select room_nid as "roomNid", room_id as "roomId", room_version as "roomVersion",
     joined_count as "joinedCount", invited_count as "invitedCount", is_blocked as "isBlocked"
   from rooms where room_id = $1`,
);

const selectState = statement<[string], StoredEvent & HashedParts>(
  'select_head_state',
  `select ${eventColumns}, ${hashedParts} from rooms r
     join room_state s on s.room_nid = r.room_nid and s.to_pos = ${endless}
     join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
   where r.room_id = $1 and s.type_nid <> coalesce(
     (select type_nid from event_types where event_type = 'm.room.member'), 0)`,
);

const selectExtremities = statement<[string], ExtremityRow>(
  'select_extremities',
  `with room as (select room_nid, room_version from rooms where room_id = $1),
   marked as (
     select x.event_nid from room_extremities x join room on room.room_nid = x.room_nid),
   newest as (
     select e.event_nid from room join events e on e.room_nid = room.room_nid
       where e.pos is not null and not exists (select from marked)
       order by e.pos desc, e.sub desc limit 1)
   select e.event_id as "eventId", e.event_nid as "eventNid", e.depth,
     e.origin_server_ts as "originServerTs", e.content,
     ${hashedParts}
     from room r join events e on e.room_nid = r.room_nid
     where e.event_nid in (select event_nid from marked union all select event_nid from newest)
     order by e.event_nid`,
);

const selectMembers = statement<[number, string[]], StoredEvent & HashedParts>(
  'select_head_members',
  `select ${eventColumns}, ${hashedParts} from room_state s
     join rooms r on r.room_nid = s.room_nid
     join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
   where s.room_nid = $1 and s.to_pos = ${endless} and s.state_key = any($2)
     and s.type_nid = (select type_nid from event_types where event_type = 'm.room.member')`,
);

const selectJoinedOf = statement<[number, string, string[]], { userId: string }>(
  'select_joined_of_server',
  `select u.user_id as "userId" from memberships m join users u on u.user_nid = m.user_nid
   where m.room_nid = $1 and m.membership = 'join'
     and substr(u.user_id, strpos(u.user_id, ':') + 1) = $2 and u.user_id <> all($3)
   limit 1`,
);

const selectEvent = statement<
  [number, string],
  StoredEvent & { envelope: string; contentAt: number }
>(
  'select_whole_event',
  `select ${eventColumns}, e.envelope, e.content_at as "contentAt" from events e
   where e.room_nid = $1 and e.event_id = $2`,
);

/** What a room's writer reads when it takes the room. */
export function createHeadStore(database: Queryable) {
  return {
    /** The room, its state but members, and its extremities, in one round trip; null: unknown. */
    async load(roomId: string) {
      const [rooms, state, extremities] = await Promise.all([
        database.query(selectRoom, [roomId]),
        database.query(selectState, [roomId]),
        database.query(selectExtremities, [roomId]),
      ]);
      const room = rooms[0];
      return room ? { room, state, extremities } : null;
    },
    /** The room's forward extremities, oldest first. */
    extremities: (roomId: string) => database.query(selectExtremities, [roomId]),
    /** The current member events of those of the users who have one. */
    members: (roomNid: number, userIds: string[]) =>
      database.query(selectMembers, [roomNid, userIds]),
    /** A joined user of a server, other than these; null: there is none. */
    async joinedOf(roomNid: number, serverName: string, except: string[]) {
      const [row] = await database.query(selectJoinedOf, [roomNid, serverName, except]);
      return row?.userId ?? null;
    },
    /** An event with its envelope, accepted or not. */
    async event(roomNid: number, eventId: string) {
      return (await database.query(selectEvent, [roomNid, eventId]))[0] ?? null;
    },
  };
}

export type HeadStore = ReturnType<typeof createHeadStore>;
