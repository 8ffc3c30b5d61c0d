import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { joinPdu } from '../../matrix/event-builder.ts';
import type { Pdu } from '../../matrix/pdu.ts';
import type { AuthEvent } from '../../matrix/received-pdu.ts';

interface PduRow {
  eventId: string;
  content: string;
  envelope: string;
  contentAt: number;
}

const selectPdus = statement<[number, string[]], PduRow>(
  'select_pdus_by_id',
  `select event_id as "eventId", content, envelope, content_at as "contentAt" from events
   where room_nid = $1 and event_id = any($2)`,
);

const selectKnown = statement<[number, string[]], { eventId: string }>(
  'select_known_event_ids',
  `select event_id as "eventId" from events where room_nid = $1 and event_id = any($2)`,
);

const selectJudged = statement<[number, string[]], PduRow & { isRejected: boolean }>(
  'select_judged_pdus',
  `select event_id as "eventId", content, envelope, content_at as "contentAt",
     status = 2 as "isRejected"
   from events where room_nid = $1 and event_id = any($2)`,
);

// Marked where there are several; else the newest of the timeline.
const selectEnds = statement<[number], { eventId: string }>(
  'select_room_ends',
  `with marked as (select event_nid from room_extremities where room_nid = $1),
   newest as (
     select event_nid from events
       where room_nid = $1 and pos is not null and not exists (select from marked)
       order by pos desc, sub desc limit 1)
   select e.event_id as "eventId" from events e where e.room_nid = $1
     and e.event_nid in (select event_nid from marked union all select event_nid from newest)`,
);

/** Events as servers send them to each other. */
export function createPduStore(database: Queryable) {
  return {
    /** Those of the events that are stored, whatever became of them. */
    async knownAmong(roomNid: number, eventIds: readonly string[]): Promise<Set<string>> {
      const rows = await database.query(selectKnown, [roomNid, [...eventIds]]);
      return new Set(rows.map(({ eventId }) => eventId));
    },
    /** Those of the events that are stored, and whether they were rejected. */
    async judged(roomNid: number, eventIds: readonly string[]): Promise<AuthEvent[]> {
      const rows = await database.query(selectJudged, [roomNid, [...eventIds]]);
      return rows.map(({ eventId, isRejected, envelope, contentAt, content }) => ({
        eventId,
        pdu: JSON.parse(joinPdu(envelope, contentAt, content)) as Pdu,
        isRejected,
      }));
    },
    /** The forward extremities of a room. */
    async ends(roomNid: number): Promise<string[]> {
      const rows = await database.query(selectEnds, [roomNid]);
      return rows.map(({ eventId }) => eventId);
    },
    /** Canonical JSON texts by id. */
    async byIds(roomNid: number, eventIds: readonly string[]): Promise<Map<string, string>> {
      const rows = await database.query(selectPdus, [roomNid, [...eventIds]]);
      return new Map(
        rows.map(({ eventId, envelope, contentAt, content }) => [
          eventId,
          joinPdu(envelope, contentAt, content),
        ]),
      );
    },
  };
}

export type PduStore = ReturnType<typeof createPduStore>;
