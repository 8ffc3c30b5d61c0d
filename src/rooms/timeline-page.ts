import { MatrixError } from '../kernel/errors.ts';
import { parseRoomEventFilter, type RoomEventFilter } from '../matrix/filters/event-filter.ts';
import { InvalidFilter } from '../matrix/filters/json-shape.ts';
import { parsePlace, type TimelinePlace } from '../streams/position.ts';
import { redactedCopies } from './erasure.ts';
import { placeAt, placeBefore, readPage, type TimelineReader } from './read-page.ts';
import type { Actor } from './needs.ts';
import type { RoomAccess } from './room-access.ts';
import type { RoomServices } from './services.ts';
import type { TimelineMatch } from './store/read-timeline.ts';
import { clientEventJson, type StoredEvent } from './stored-event.ts';
import type { Visibility } from './visibility.ts';

/** The `filter` parameter, JSON text of a RoomEventFilter. Throws M_BAD_JSON, M_INVALID_PARAM. */
export function parseFilterParameter(text: string | undefined): RoomEventFilter | null {
  if (text === undefined || text === '') return null;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new MatrixError('M_BAD_JSON', '`filter` is not JSON');
  }
  try {
    return parseRoomEventFilter(json);
  } catch (error) {
    if (error instanceof InvalidFilter) throw new MatrixError('M_INVALID_PARAM', error.message);
    throw error;
  }
}

/** A parameter that says a place in a timeline; null when absent. Throws M_INVALID_PARAM. */
export function placeParameter(token: string | undefined, name: string): TimelinePlace | null {
  if (token === undefined || token === '') return null;
  const place = parsePlace(token);
  if (!place) throw new MatrixError('M_INVALID_PARAM', `\`${name}\` is not a token of this server`);
  return place;
}

/**
 * Writes events of a room as JSON for one reader; `bundled` are those that show what other events
 * add to them, and that are redacted when their senders have been erased.
 */
export async function createEventWriter(
  services: Pick<RoomServices, 'clock' | 'aggregations' | 'erasedAmong'>,
  reader: Pick<Actor, 'userNid' | 'deviceNid'>,
  access: Pick<RoomAccess, 'roomNid' | 'roomId' | 'roomVersion' | 'membership'>,
  visibility: Visibility,
  bundled: readonly StoredEvent[],
): Promise<(event: StoredEvent) => string> {
  const now = services.clock.now();
  const { roomNid, roomId, roomVersion, membership } = access;
  const { userNid: senderNid, deviceNid } = reader;
  const { membershipAt } = visibility;
  const copies = await redactedCopies(services.erasedAmong, [
    { events: bundled, roomVersion, membershipAt },
  ]);
  const seesAll = membership === 'join' || visibility.isWorldReadableNow;
  const events = bundled.map((one) => copies.get(one) ?? one);
  const page = { roomNid, roomId, events, partly: { roomVersion, membershipAt } };
  const aggregations = await services.aggregations.of(
    [seesAll ? page : { ...page, uptoPos: visibility.lastJoinedPos }],
    reader,
  );
  return (event) =>
    clientEventJson(copies.get(event) ?? event, {
      roomId,
      now,
      senderNid,
      deviceNid,
      membership: membershipAt(event),
      unsigned: aggregations.get(event.eventId) ?? '',
    });
}

/** An event and its surroundings, as far as the user may see them. */
export async function readContext(
  services: RoomServices,
  reader: TimelineReader,
  eventId: string,
  { limit, match }: { limit: number; match: TimelineMatch | null },
) {
  const event = await services.timeline.event(reader.access.roomNid, eventId);
  if (!event || event.status !== 0 || event.pos === null || !reader.visibility.allows(event)) {
    throw new MatrixError('M_NOT_FOUND', 'Event not found.');
  }
  const half = Math.floor(limit / 2);
  const backwards = { direction: 'b' as const, from: placeBefore(event), bound: -1 };
  const forwards = {
    direction: 'f' as const,
    from: placeAt(event),
    bound: Number.MAX_SAFE_INTEGER,
  };
  // What comes after is shown up to the next gap: to fill that may take long.
  const [before, after] = await Promise.all([
    readPage(services, reader, { ...backwards, limit: half, match }),
    readPage(services, reader, { ...forwards, limit: limit - half, match }, 0),
  ]);
  return {
    event,
    before: before.shown,
    after: after.shown,
    startPlace: before.next ?? { pos: 0, sub: 0 },
    endPlace: after.next ?? placeAt(event),
  };
}
