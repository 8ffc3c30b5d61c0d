import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';

/** A room by its id. */
export interface RoomRow {
  roomNid: number;
  roomId: string;
  roomVersion: string;
}

/** An event with its PDU, and where the states around it are. */
export interface PlacedEvent {
  eventNid: number;
  eventId: string;
  typeNid: number;
  type: string;
  stateKey: string | null;
  senderNid: number;
  sender: string;
  /** Null: not in the timeline. */
  pos: number | null;
  /** Less than 0 of history that was fetched later; see the events table. */
  sub: number;
  /** See events.base_pos. */
  basePos: number | null;
  /** 0 accepted, 1 soft-failed, 2 rejected. */
  status: number;
  depth: number;
  content: string;
  envelope: string;
  contentAt: number;
}

/** The PDU of an event in two parts; see `joinPdu`. */
export interface PduRow {
  eventNid: number;
  content: string;
  envelope: string;
  contentAt: number;
}

const placedColumns = `
  e.event_nid as "eventNid", e.event_id as "eventId", e.type_nid as "typeNid", null::text as type,
  e.state_key as "stateKey", e.sender_nid as "senderNid", null::text as sender, e.pos, e.sub,
  e.base_pos as "basePos", e.status, e.depth, e.content, e.envelope, e.content_at as "contentAt"`;

const selectRoom = statement<[string], RoomRow>(
  'select_room_by_id',
  `select room_nid as "roomNid", room_id as "roomId", room_version as "roomVersion"
   from rooms where room_id = $1`,
);

const selectEvent = statement<[number, string], PlacedEvent>(
  'select_placed_event',
  `select ${placedColumns} from events e where e.room_nid = $1 and e.event_id = $2`,
);

// In old room versions servers choose event ids, and two rooms may have the same.
const selectAnywhere = statement<[string], PlacedEvent & RoomRow>(
  'select_placed_event_anywhere',
  `select ${placedColumns}, r.room_nid as "roomNid", r.room_id as "roomId",
     r.room_version as "roomVersion"
   from events e join rooms r on r.room_nid = e.room_nid where e.event_id = $1
   order by e.room_nid limit 10`,
);

const selectStateBefore = statement<[number, number, number], { eventNid: number }>(
  'select_state_before',
  `select s.event_nid as "eventNid" from room_state s
   where s.room_nid = $1 and s.from_pos <= $3 and s.to_pos > $3
     and not exists (select from event_state_differences d
       where d.room_nid = $1 and d.event_nid = $2 and d.type_nid = s.type_nid
         and d.state_key = s.state_key)
   union all
   select d.entry_nid from event_state_differences d
   where d.room_nid = $1 and d.event_nid = $2 and d.entry_nid is not null`,
);

const selectPdus = statement<[number, number[]], PduRow>(
  'select_pdus',
  `select event_nid as "eventNid", content, envelope, content_at as "contentAt"
   from events where room_nid = $1 and event_nid = any($2)`,
);

/** Events that one walk looks at, with those that are not given. */
const stepsMax = 2_000;

// The walk ends as soon as there are enough: PostgreSQL makes no more rows of it than are taken.
// Each event is looked up by itself, so that no more of the room is read than is walked.
const walkBack = statement<[number, string[], string[], number, number, boolean], PlacedEvent>(
  'walk_prev_events',
  `with recursive walk(nid, event_id, status) as (
     select event_nid, event_id, status from events
       where room_nid = $1 and event_id = any($2) and (pos is not null or base_pos is not null)
     union
     select p.event_nid, p.event_id, p.status from walk w
       cross join lateral json_array_elements((
         select ${readableJson('e.envelope')} -> 'prev_events' from events e
           where e.room_nid = $1 and e.event_nid = w.nid)) r
       cross join lateral (
         select e.event_nid, e.event_id, e.status from events e
           where e.room_nid = $1
             and e.event_id = case json_typeof(r.value)
               when 'array' then r.value ->> 0 else r.value #>> '{}' end
             and e.event_id <> all($3) and e.depth >= $4
             and (e.pos is not null or e.base_pos is not null)
           offset 0) p),
   taken as materialized (
     select nid from (select * from walk limit ${stepsMax}) w
       where w.status <> 2 and ($6 or w.event_id <> all($2)) limit $5)
   select ${placedColumns} from taken t join events e on e.room_nid = $1 and e.event_nid = t.nid`,
);

/** How far to walk back from events. */
export interface WalkOptions {
  /** Ids of events to stop before. */
  stopBefore: readonly string[];
  minDepth: number;
  limit: number;
  /** Whether the events that the walk begins at are given, too. */
  withStart: boolean;
}

/** Events, and states, as other servers read them. */
export function createEventStore(database: Queryable) {
  return {
    async room(roomId: string): Promise<RoomRow | null> {
      return (await database.query(selectRoom, [roomId]))[0] ?? null;
    },
    async event(roomNid: number, eventId: string): Promise<PlacedEvent | null> {
      return (await database.query(selectEvent, [roomNid, eventId]))[0] ?? null;
    },
    /** The event in the rooms that have one of this id. */
    anywhere: (eventId: string) => database.query(selectAnywhere, [eventId]),
    /** Numbers of the entries of the state before an event; `atPos`: `placeBefore` of it. */
    async stateBefore(roomNid: number, eventNid: number, atPos: number): Promise<number[]> {
      const rows = await database.query(selectStateBefore, [roomNid, eventNid, atPos]);
      return rows.map((row) => row.eventNid);
    },
    /**
     * What can be reached from events over prev_events, breadth-first, without events that were
     * rejected or whose place is not known. In no particular order.
     */
    walkBack: (roomNid: number, from: readonly string[], options: WalkOptions) =>
      database.query(walkBack, [
        roomNid,
        [...from],
        [...options.stopBefore],
        options.minDepth,
        options.limit,
        options.withStart,
      ]),
    /** In no particular order. */
    pdus: (roomNid: number, eventNids: readonly number[]) =>
      database.query(selectPdus, [roomNid, [...eventNids]]),
  };
}

export type EventStore = ReturnType<typeof createEventStore>;
