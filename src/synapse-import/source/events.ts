import { eventIdOf } from '../../matrix/event-format.ts';
import { splitPdu, type BuiltEvent } from '../../matrix/event-builder.ts';
import type { JsonObject, Pdu } from '../../matrix/pdu.ts';
import type { RoomVersion } from '../../matrix/room-versions.ts';
import type { SourceRow, SynapseSource } from './source.ts';

/** An event as Synapse has it. */
export interface SynapseEvent {
  event: BuiltEvent;
  streamOrdering: number;
  isSoftFailed: boolean;
  isRejected: boolean;
  unsigned: JsonObject;
}

const columns = `e.event_id, j.json, j.internal_metadata, e.stream_ordering,
  e.topological_ordering, e.rejection_reason`;
const from = 'events e join event_json j on j.event_id = e.event_id';
/** Events that are asked for by their ids at once. */
const idsAtOnce = 500;

function read(version: RoomVersion, row: SourceRow): SynapseEvent {
  const { unsigned = {}, ...rest } = JSON.parse(row['json'] as string) as Pdu;
  const metadata = JSON.parse(row['internal_metadata'] as string) as JsonObject;
  const eventId = row['event_id'] as string;
  const pdu: Pdu = rest;
  // From room version 3 on it is no part of the event.
  if (version.eventIdFormat !== 'explicit') delete pdu.event_id;
  if (eventIdOf(version, pdu) !== eventId) {
    throw new Error(`${eventId} is damaged: its id is not that of what is stored`);
  }
  return {
    event: { eventId, pdu, ...splitPdu(version, pdu) },
    streamOrdering: Number(row['stream_ordering']),
    isSoftFailed: metadata['soft_failed'] === true,
    isRejected: row['rejection_reason'] !== null,
    unsigned,
  };
}

/** The events of a room that have come one after the other, from a position on. */
export async function arrivedEvents(
  source: SynapseSource,
  version: RoomVersion,
  roomId: string,
  afterOrdering: number,
  limit: number,
): Promise<SynapseEvent[]> {
  const rows = await source.rows(
    `select ${columns} from ${from}
     where e.room_id = $1 and e.stream_ordering > $2 and not e.outlier
     order by e.stream_ordering limit ${limit}`,
    [roomId, afterOrdering],
  );
  return rows.map((row) => read(version, row));
}

/** A place in a room's history, from the newest on. */
export interface HistoryPlace {
  depth: number;
  ordering: number;
}

/** Events from before this server came, the newest first, and where to go on; null: at the end. */
export async function olderEvents(
  source: SynapseSource,
  version: RoomVersion,
  roomId: string,
  before: HistoryPlace | null,
  limit: number,
): Promise<{ events: SynapseEvent[]; next: HistoryPlace | null }> {
  const rows = await source.rows(
    `select ${columns} from ${from}
     where e.room_id = $1 and e.stream_ordering < 0 and not e.outlier and e.rejection_reason is null
       ${before ? 'and (e.topological_ordering, e.stream_ordering) < ($2, $3)' : ''}
     order by e.topological_ordering desc, e.stream_ordering desc limit ${limit}`,
    before ? [roomId, before.depth, before.ordering] : [roomId],
  );
  const last = rows.at(-1);
  const next =
    last && rows.length === limit
      ? {
          depth: Number(last['topological_ordering']),
          ordering: Number(last['stream_ordering']),
        }
      : null;
  return { events: rows.map((row) => read(version, row)), next };
}

/** Events by their ids, in any order; those that Synapse does not have are left out. */
export async function eventsById(
  source: SynapseSource,
  version: RoomVersion,
  ids: readonly string[],
): Promise<SynapseEvent[]> {
  const found: SynapseEvent[] = [];
  for (let at = 0; at < ids.length; at += idsAtOnce) {
    const some = ids.slice(at, at + idsAtOnce);
    const places = some.map((_, i) => `$${i + 1}`).join(', ');
    // oxlint-disable-next-line no-await-in-loop -- bounds the size of a statement
    const rows = await source.rows(
      `select ${columns} from ${from} where e.event_id in (${places})`,
      some,
    );
    found.push(...rows.map((row) => read(version, row)));
  }
  return found;
}
