import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { joinPdu } from '../../matrix/event-builder.ts';

interface PduRow {
  eventId: string;
  content: string;
  envelope: string;
  contentAt: number;
}

const selectPdus = statement<[number, string[]], PduRow>(
  'select_pdus',
  `select event_id as "eventId", content, envelope, content_at as "contentAt" from events
   where room_nid = $1 and event_id = any($2)`,
);

/** Events as servers send them to each other. */
export function createPduStore(database: Queryable) {
  return {
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
