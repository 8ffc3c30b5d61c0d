import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { StoredEvent } from '../stored-event.ts';
import { eventColumns } from './columns.ts';

/** A stored event with its room. */
export interface StreamedEvent extends StoredEvent {
  roomId: string;
  roomVersion: string;
  /** The number of the user whose membership it sets; null for others. */
  memberNid: number | null;
  /** Whether that user is this server's. */
  memberIsLocal: boolean | null;
}

const selectEvents = statement<[number, number], StreamedEvent>(
  'select_events_by_position',
  `select ${eventColumns}, r.room_id as "roomId", r.room_version as "roomVersion",
       m.user_nid as "memberNid", m.is_local as "memberIsLocal"
     from events e
     join rooms r on r.room_nid = e.room_nid
     join event_types t on t.type_nid = e.type_nid
     left join users u on t.event_type = 'm.room.member' and u.user_id = e.state_key
     left join memberships m on m.user_nid = u.user_nid and m.room_nid = e.room_nid
     where e.pos > $1 and e.pos <= $2 and e.sub = 0 and e.status = 0
     order by e.pos`,
);

const selectRedacted = statement<[number[], string[]], StoredEvent>(
  'select_redacted_by',
  `select ${eventColumns}
     from unnest($1::bigint[], $2::text[]) as i(room_nid, event_id)
     join events e on e.event_id = i.event_id and e.room_nid = i.room_nid
     where e.redacted_by is not null`,
);

/** An entry of the current state that changed where forks met. */
export interface ChangedEntryRow {
  roomNid: number;
  pos: number;
  type: string;
  stateKey: string;
  /** For members: the user's number, and whether the user is this server's. */
  memberNid: number | null;
  memberIsLocal: boolean | null;
  /** Contents as JSON text; null: there was no such entry, or is none. */
  before: string | null;
  after: string | null;
}

const selectChanges = statement<[number[], number[]], ChangedEntryRow>(
  'select_state_changes_at',
  `select w.room_nid as "roomNid", w.pos, t.event_type as type, s.state_key as "stateKey",
     m.user_nid as "memberNid", m.is_local as "memberIsLocal", b.content as before,
     e.content as after
   from unnest($1::bigint[], $2::bigint[]) as w(room_nid, pos)
     join room_state s on s.room_nid = w.room_nid and s.from_pos = w.pos
     join event_types t on t.type_nid = s.type_nid
     left join events e on e.room_nid = w.room_nid and e.event_nid = s.event_nid
     left join room_state p on p.room_nid = w.room_nid and p.type_nid = s.type_nid
       and p.state_key = s.state_key and p.from_pos < w.pos and p.to_pos = w.pos
     left join events b on b.room_nid = w.room_nid and b.event_nid = p.event_nid
     left join users u on t.event_type = 'm.room.member' and u.user_id = s.state_key
     left join memberships m on m.user_nid = u.user_nid and m.room_nid = w.room_nid
   order by w.pos`,
);

/** New events in the order of their positions; `database` puts in names: `withEventNames`. */
export function createEventStreamStore(database: Queryable) {
  return {
    events: (afterPos: number, uptoPos: number) =>
      database.query(selectEvents, [afterPos, uptoPos]),
    /** What has changed in the states of rooms at the positions of these events. */
    changes: (events: readonly { roomNid: number; pos: number | null }[]) =>
      database.query(selectChanges, [
        events.map(({ roomNid }) => roomNid),
        events.map(({ pos }) => pos!),
      ]),
    /** Those of the events, by room and id, that have been redacted. */
    redacted: (targets: readonly { roomNid: number; eventId: string }[]) =>
      database.query(selectRedacted, [
        targets.map(({ roomNid }) => roomNid),
        targets.map(({ eventId }) => eventId),
      ]),
  };
}

export type EventStreamStore = ReturnType<typeof createEventStreamStore>;
