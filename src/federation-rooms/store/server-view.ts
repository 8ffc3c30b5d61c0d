import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { visibilityHistory, type HistoryRow } from '../../rooms/module.ts';

/** A stretch of a room's history in which a state entry held: `fromPos <= p < toPos`. */
export interface SpanRow {
  stateKey: string;
  /** JSON text. */
  content: string;
  fromPos: number;
  toPos: number;
}

/** An entry in which the state before an event on a fork differs. */
export interface DifferenceRow {
  ofNid: number;
  isMember: boolean;
  stateKey: string;
  /** JSON text; null: absent there. */
  content: string | null;
}

const spanColumns = `
  s.state_key as "stateKey", e.content, s.from_pos as "fromPos", s.to_pos as "toPos"`;
const within = 's.from_pos <= $3 and s.to_pos > $2';
const serverOf = (userId: string) => `substr(${userId}, strpos(${userId}, ':') + 1)`;

const selectVisibilities = statement<[number, number, number], SpanRow>(
  'select_visibility_spans',
  `select ${spanColumns} from event_types t
     join room_state s on s.room_nid = $1 and s.type_nid = t.type_nid and s.state_key = ''
     join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
   where t.event_type = 'm.room.history_visibility' and ${within}`,
);

const selectHistory = statement<[number], HistoryRow>(
  'select_visibility_of_fetched',
  visibilityHistory('(values ($1::bigint)) as w(room_nid)', "''"),
);

// Content is canonical JSON; others than those who were joined or invited see nothing more.
const selectMembers = statement<[number, number, number, string], SpanRow>(
  'select_member_spans_of_server',
  `select ${spanColumns} from event_types t
     join room_state s on s.room_nid = $1 and s.type_nid = t.type_nid
     join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
   where t.event_type = 'm.room.member' and ${within} and ${serverOf('s.state_key')} = $4
     and (e.content like '%"membership":"join"%' or e.content like '%"membership":"invite"%')`,
);

const selectDifferences = statement<[number, number[], string], DifferenceRow>(
  'select_view_differences',
  `select d.event_nid as "ofNid", t.event_type = 'm.room.member' as "isMember",
     d.state_key as "stateKey", e.content
   from event_state_differences d
     join event_types t on t.type_nid = d.type_nid
     left join events e on e.room_nid = d.room_nid and e.event_nid = d.entry_nid
   where d.room_nid = $1 and d.event_nid = any($2)
     and (t.event_type = 'm.room.history_visibility' and d.state_key = ''
       or t.event_type = 'm.room.member' and ${serverOf('d.state_key')} = $3)`,
);

/** What decides on which events of a room a server may see. Positions are inclusive. */
export function createServerViewStore(database: Queryable) {
  return {
    visibilities: (roomNid: number, fromPos: number, toPos: number) =>
      database.query(selectVisibilities, [roomNid, fromPos, toPos]),
    /** History visibility throughout a room's history, what was fetched later included. */
    history: (roomNid: number) => database.query(selectHistory, [roomNid]),
    /** Users of a server while they were joined or invited. */
    members: (roomNid: number, serverName: string, fromPos: number, toPos: number) =>
      database.query(selectMembers, [roomNid, fromPos, toPos, serverName]),
    differences: (roomNid: number, eventNids: readonly number[], serverName: string) =>
      database.query(selectDifferences, [roomNid, [...eventNids], serverName]),
  };
}

export type ServerViewStore = ReturnType<typeof createServerViewStore>;
