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

/** New events in the order of their positions; `database` puts in names: `withEventNames`. */
export function createEventStreamStore(database: Queryable) {
  return {
    events: (afterPos: number, uptoPos: number) =>
      database.query(selectEvents, [afterPos, uptoPos]),
    /** Those of the events, by room and id, that have been redacted. */
    redacted: (targets: readonly { roomNid: number; eventId: string }[]) =>
      database.query(selectRedacted, [
        targets.map(({ roomNid }) => roomNid),
        targets.map(({ eventId }) => eventId),
      ]),
  };
}

export type EventStreamStore = ReturnType<typeof createEventStreamStore>;
