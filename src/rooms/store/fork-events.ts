import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { StoredEvent } from '../stored-event.ts';
import { endless, eventColumns } from './columns.ts';

/** An event as checks and state resolution need it: the whole PDU, and where its state is. */
export interface KnownEventRow {
  eventId: string;
  eventNid: number;
  typeNid: number;
  senderNid: number;
  /** Null: not in the timeline. */
  pos: number | null;
  /** See events.base_pos. */
  basePos: number | null;
  /** 0 accepted, 1 soft-failed, 2 rejected. */
  status: number;
  content: string;
  envelope: string;
  contentAt: number;
}

/** An entry in which a state may differ from the current one. */
export interface DeltaRow {
  /** The event whose state it is. */
  ofNid: number;
  type: string;
  stateKey: string;
  /** Null: absent. */
  eventId: string | null;
  /** What the current state has. Null: nothing. */
  currentId: string | null;
}

const selectKnown = statement<[number, string[]], KnownEventRow>(
  'select_known_events',
  `select event_id as "eventId", event_nid as "eventNid", type_nid as "typeNid",
     sender_nid as "senderNid", pos, base_pos as "basePos", status, content, envelope,
     content_at as "contentAt"
   from events where room_nid = $1 and event_id = any($2)`,
);

const currentEntry = (entry: string) => `
  left join room_state n on n.room_nid = $1 and n.type_nid = ${entry}.type_nid
    and n.state_key = ${entry}.state_key and n.to_pos = ${endless}
  left join events c on c.room_nid = $1 and c.event_nid = n.event_nid`;

const selectChangedSince = statement<[number, number[], number[]], DeltaRow>(
  'select_state_changed_since',
  `select w.nid as "ofNid", t.event_type as type, s.state_key as "stateKey",
     e.event_id as "eventId", c.event_id as "currentId"
   from unnest($2::bigint[], $3::bigint[]) as w(nid, at_pos)
     cross join lateral (
       select distinct type_nid, state_key from room_state
         where room_nid = $1 and from_pos > w.at_pos) s
     join event_types t on t.type_nid = s.type_nid
     left join room_state h on h.room_nid = $1 and h.type_nid = s.type_nid
       and h.state_key = s.state_key and h.from_pos <= w.at_pos and h.to_pos > w.at_pos
     left join events e on e.room_nid = $1 and e.event_nid = h.event_nid
     ${currentEntry('s')}`,
);

const selectDifferences = statement<[number, number[]], DeltaRow>(
  'select_state_differences',
  `select d.event_nid as "ofNid", t.event_type as type, d.state_key as "stateKey",
     e.event_id as "eventId", c.event_id as "currentId"
   from event_state_differences d
     join event_types t on t.type_nid = d.type_nid
     left join events e on e.room_nid = d.room_nid and e.event_nid = d.entry_nid
     ${currentEntry('d')}
   where d.room_nid = $1 and d.event_nid = any($2)`,
);

interface EntryRow {
  type: string;
  stateKey: string;
  eventId: string;
}

const selectStateIds = statement<[number], EntryRow>(
  'select_state_ids',
  `select t.event_type as type, s.state_key as "stateKey", e.event_id as "eventId"
   from room_state s
     join event_types t on t.type_nid = s.type_nid
     join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
   where s.room_nid = $1 and s.to_pos = ${endless}`,
);

// One statement: it is asked for each lot of events that comes.
const selectBefore = statement<
  [number, string[]],
  { eventId: string | null; redacts: string | null }
>(
  'select_what_came_before',
  `select event_id as "eventId", null as redacts from events
     where room_nid = $1 and event_id = any($2)
   union all
   select null, redacts from events
     where room_nid = $1 and redacts = any($2) and pos is not null and status = 0`,
);

// Sorted apart, or else the planner may read the whole timeline for its order.
const selectRedactions = statement<[number, string[]], StoredEvent>(
  'select_redactions_of',
  `with found as materialized (
     select ${eventColumns} from events e
       where e.room_nid = $1 and e.redacts = any($2) and e.pos is not null and e.status = 0)
   select * from found order by pos, sub`,
);

/** What receiving events reads: known events, and states as differences to the current one. */
export function createForkStore(database: Queryable) {
  return {
    known: (roomNid: number, eventIds: readonly string[]) =>
      database.query(selectKnown, [roomNid, [...eventIds]]),
    /** Which of the events are stored, and which are named by redactions that came before them. */
    async before(roomNid: number, eventIds: readonly string[]) {
      const stored = new Set<string>();
      const redacted = new Set<string>();
      for (const row of await database.query(selectBefore, [roomNid, [...eventIds]])) {
        if (row.eventId !== null) stored.add(row.eventId);
        if (row.redacts !== null) redacted.add(row.redacts);
      }
      return { stored, redacted };
    },
    /** Entries of the states at positions that differ from now; `at`: event and position. */
    changedSince: (roomNid: number, at: readonly (readonly [nid: number, pos: number])[]) =>
      database.query(selectChangedSince, [
        roomNid,
        at.map(([nid]) => nid),
        at.map(([, pos]) => pos),
      ]),
    /** The stored differences of the states before events on forks. */
    differences: (roomNid: number, eventNids: number[]) =>
      database.query(selectDifferences, [roomNid, eventNids]),
    /** The whole current state. */
    stateIds: (roomNid: number) => database.query(selectStateIds, [roomNid]),
    /** Redactions that name one of the events, in the order of the timeline. */
    redactionsOf: (roomNid: number, eventIds: readonly string[]) =>
      database.query(selectRedactions, [roomNid, [...eventIds]]),
  };
}

export type ForkStore = ReturnType<typeof createForkStore>;
