import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { SplitPdu } from '../../matrix/pdu-text.ts';
import { memberTypeNid, membershipIn } from '../../rooms/module.ts';
import { serverOf } from './columns.ts';

export interface PduRow extends SplitPdu {
  eventNid: number;
  eventId: string;
}

const selectPdus = statement<[roomNids: number[], eventNids: number[]], PduRow>(
  'select_pdus_to_send',
  `select e.event_nid as "eventNid", e.event_id as "eventId", e.content, e.envelope,
     e.content_at as "contentAt"
   from unnest($1::bigint[], $2::bigint[]) as w(room_nid, event_nid)
     join events e on e.room_nid = w.room_nid and e.event_nid = w.event_nid`,
);

// What is ours and stands on a fork is a join by which this server came into a room: the server that let
// it in tells the others.

/** A place where something of ours came into a room. */
export interface OwnPlace {
  pos: number;
  roomNid: number;
  /** For membership events: whose. */
  memberId: string | null;
}

const selectPlaces = statement<
  [afterPos: number, uptoPos: number, serverName: string, limit: number],
  OwnPlace
>(
  'select_places_of_own_events',
  `select e.pos, e.room_nid as "roomNid",
     case when e.type_nid = ${memberTypeNid} then e.state_key end as "memberId"
   from events e join users u on u.user_nid = e.sender_nid
   where e.pos > $1 and e.pos <= $2 and e.sub = 0 and e.status = 0 and e.base_pos is null
     and ${serverOf('u.user_id')} = $3
   union all
   select pos, room_nid, null from federation_passed_on_events where pos > $1 and pos <= $2
   order by pos limit $4`,
);

const selectRooms = statement<
  [serverName: string, afterRoom: number, afterPos: number, uptoPos: number, limit: number],
  { roomNid: number }
>(
  'select_rooms_to_catch_up',
  `select distinct m.room_nid as "roomNid"
   from users u join memberships m on m.user_nid = u.user_nid
   where ${serverOf('u.user_id')} = $1 and m.room_nid > $2
     and (m.membership = 'join' or m.pos > $3)
     and (exists (select from events e
         where e.room_nid = m.room_nid and e.pos > $3 and e.pos <= $4)
       or exists (select from federation_passed_on_events p
         where p.room_nid = m.room_nid and p.pos > $3 and p.pos <= $4))
   order by m.room_nid limit $5`,
);

/** An own event of a room, and whose membership it changes, but for invites. */
export interface OwnEvent {
  pos: number;
  roomNid: number;
  eventNid: number;
  memberId: string | null;
  /** Where it came from, when it is not our own. */
  origin: string | null;
}

type EventsParams = [
  ...[roomNids: number[], afterPositions: number[], uptoPos: number],
  ...[serverName: string, limit: number],
];

const selectEvents = statement<EventsParams, OwnEvent>(
  'select_own_events_of_rooms',
  `select w.room_nid as "roomNid", o.pos, o.event_nid as "eventNid", o.member_id as "memberId",
     o.origin
   from unnest($1::bigint[], $2::bigint[]) as w(room_nid, after_pos) cross join lateral (
     select e.pos, e.event_nid, null::text as origin,
       case when e.type_nid = ${memberTypeNid} and ${membershipIn('e.content')} <> 'invite'
         then e.state_key end as member_id
     from events e join users u on u.user_nid = e.sender_nid
     where e.room_nid = w.room_nid and e.pos > w.after_pos and e.pos <= $3 and e.sub = 0
       and e.status = 0 and e.base_pos is null and ${serverOf('u.user_id')} = $4
     union all
     select p.pos, p.event_nid, p.origin, null from federation_passed_on_events p
     where p.room_nid = w.room_nid and p.pos > w.after_pos and p.pos <= $3
     order by pos limit $5) o
   order by w.room_nid, o.pos`,
);

type FloorParams = [
  ...[roomNids: number[], afterPos: number, uptoPos: number],
  ...[serverName: string, count: number],
];

const selectFloors = statement<FloorParams, { roomNid: number; pos: number }>(
  'select_floors_of_rooms_to_catch_up',
  `select w.room_nid as "roomNid", o.pos
   from unnest($1::bigint[]) as w(room_nid) cross join lateral (
     select e.pos from events e join users u on u.user_nid = e.sender_nid
     where e.room_nid = w.room_nid and e.pos > $2 and e.pos <= $3 and e.sub = 0
       and e.status = 0 and e.base_pos is null and ${serverOf('u.user_id')} = $4
     order by e.pos desc offset $5 - 1 limit 1) o`,
);

/** While a server had joined users in a room: from the one position on, before the other. */
export interface JoinedSpan {
  roomNid: number;
  fromPos: number;
  toPos: number;
}

const selectSpans = statement<
  [serverName: string, roomNids: number[], afterPos: number],
  JoinedSpan
>(
  'select_joined_spans_of_server',
  `with members as materialized (
     select m.room_nid, u.user_id from memberships m join users u on u.user_nid = m.user_nid
       where m.room_nid = any($2) and not m.is_local and ${serverOf('u.user_id')} = $1),
   spans as (
     select s.room_nid, range_agg(int8range(s.from_pos, s.to_pos)) as ranges
     from members m
       join room_state s on s.room_nid = m.room_nid and s.type_nid = ${memberTypeNid}
         and s.state_key = m.user_id and s.to_pos > $3 and s.to_pos > s.from_pos
       join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
     where ${membershipIn('e.content')} = 'join'
     group by s.room_nid)
   select room_nid as "roomNid", lower(r) as "fromPos", upper(r) as "toPos"
   from spans, unnest(ranges) as r order by room_nid, lower(r)`,
);

/** What this server is to send. `serverName`: its own. */
export function createOwnEventStore(database: Queryable, serverName: string) {
  return {
    pdus: (refs: readonly { roomNid: number; eventNid: number }[]) =>
      database.query(selectPdus, [
        refs.map(({ roomNid }) => roomNid),
        refs.map(({ eventNid }) => eventNid),
      ]),
    /** Where own events are, of all rooms, in order. */
    places: (afterPos: number, uptoPos: number, limit: number) =>
      database.query(selectPlaces, [afterPos, uptoPos, serverName, limit]),
    /** Rooms in which something happened while a server was in them, ascending from `afterRoom`. */
    async rooms(
      destination: string,
      afterRoom: number,
      [afterPos, uptoPos]: readonly [number, number],
      limit: number,
    ): Promise<number[]> {
      const params = [destination, afterRoom, afterPos, uptoPos, limit] as const;
      const rows = await database.query(selectRooms, [...params]);
      return rows.map(({ roomNid }) => roomNid);
    },
    /** The next own events of each of the rooms, at most `limit` of each; by room, in order. */
    events: (
      rooms: readonly { roomNid: number; afterPos: number }[],
      uptoPos: number,
      limit: number,
    ) =>
      database.query(selectEvents, [
        rooms.map(({ roomNid }) => roomNid),
        rooms.map(({ afterPos }) => afterPos),
        uptoPos,
        serverName,
        limit,
      ]),
    /** The position of the `count`th newest own event of each of the rooms that have as many. */
    floors: (
      roomNids: readonly number[],
      [afterPos, uptoPos]: readonly [number, number],
      count: number,
    ) => database.query(selectFloors, [[...roomNids], afterPos, uptoPos, serverName, count]),
    /** When a server was in rooms, as far as it was after a position; by room, in order. */
    spans: (destination: string, roomNids: readonly number[], afterPos: number) =>
      database.query(selectSpans, [destination, [...roomNids], afterPos]),
  };
}

export type OwnEventStore = ReturnType<typeof createOwnEventStore>;
