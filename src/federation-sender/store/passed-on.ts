import type { BatchItem, Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { PassedOnRow } from '../streams.ts';

const addPassedOn = statement<[roomNid: number, eventNid: number, origin: string], { pos: number }>(
  'add_passed_on_event',
  `insert into federation_passed_on_events (pos, room_nid, event_nid, origin)
     values (nextval('stream_position'), $1, $2, $3) returning pos`,
);

const selectStream = statement<[number, number], PassedOnRow & { pos: number }>(
  'select_passed_on_events',
  `select pos, room_nid as "roomNid", event_nid as "eventNid", origin
   from federation_passed_on_events where pos > $1 and pos <= $2 order by pos`,
);

const deletePassedOn = statement<[beforePos: number], never>(
  'delete_passed_on_events',
  'delete from federation_passed_on_events where pos < $1',
);

export const addingPassedOn = ({ roomNid, eventNid, origin }: PassedOnRow): BatchItem => ({
  statement: addPassedOn as never,
  params: [roomNid, eventNid, origin],
});

/** Events of other servers that this one sends to others. */
export function createPassedOnStore(database: Queryable) {
  return {
    stream: (afterPos: number, uptoPos: number) =>
      database.query(selectStream, [afterPos, uptoPos]),
    /** Everybody has those before a position. */
    forget: (beforePos: number) => database.query(deletePassedOn, [beforePos]),
  };
}
