import { MatrixError } from '../kernel/errors.ts';
import { parseRoomEventFilter, type RoomEventFilter } from '../matrix/filters/event-filter.ts';
import { InvalidFilter } from '../matrix/filters/json-shape.ts';
import { parsePlace, type TimelinePlace } from '../streams/position.ts';
import { redactedCopies } from './erasure.ts';
import type { Actor } from './needs.ts';
import type { RoomAccess } from './room-access.ts';
import type { RoomServices } from './services.ts';
import type { TimelineMatch, TimelinePage } from './store/read-timeline.ts';
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

const placeAt = (event: StoredEvent): TimelinePlace => ({ pos: event.pos!, sub: event.sub });

/**
 * The place just before an event. What fills the gap before an event on a fork, such as the join by
 * which this server came, has the event's own position.
 */
export const placeBefore = (event: StoredEvent): TimelinePlace =>
  event.sub === 0 && !event.isForked
    ? { pos: event.pos! - 1, sub: 0 }
    : { pos: event.pos!, sub: event.sub - 1 };

/** The last position that is wholly at or before a place. */
export const positionOf = ({ pos, sub }: TimelinePlace): number => (sub < 0 ? pos - 1 : pos);

interface Page {
  /** What the user may see of the page, in the order of reading. */
  shown: StoredEvent[];
  /** Where to go on; null at the end of the timeline. */
  next: TimelinePlace | null;
}

/** Times that other servers are asked for one page, each time for a hundred events. */
const fillsMax = 10;

/**
 * Reads a page; events that the user may not see are left out of it. Where the timeline ends before the
 * room's first event, other servers are asked for what was before.
 */
export async function readPage(
  services: RoomServices,
  access: RoomAccess,
  visibility: Visibility,
  page: Omit<TimelinePage, 'roomNid'>,
): Promise<Page> {
  let read = await readKnown(services, access, visibility, page);
  const mayAsk = page.direction === 'b' && page.limit > 0 && !page.match;
  for (let fills = 0; mayAsk && fills < fillsMax; fills++) {
    if (read.hasMore || read.lastType === 'm.room.create') break;
    // oxlint-disable-next-line no-await-in-loop -- each goes on where the one before ended
    if (!(await services.elsewhere.fillHistory(access))) break;
    // oxlint-disable-next-line no-await-in-loop
    read = await readKnown(services, access, visibility, page);
  }
  return read;
}

/** Reads a page of what is known here. */
async function readKnown(
  services: RoomServices,
  access: RoomAccess,
  visibility: Visibility,
  page: Omit<TimelinePage, 'roomNid'>,
): Promise<Page & { hasMore: boolean; lastType: string | null }> {
  const { direction, limit, from } = page;
  if (limit === 0) return { shown: [], next: from, hasMore: true, lastType: null };
  const events = await services.timeline.page({
    ...page,
    roomNid: access.roomNid,
    limit: limit + 1,
  });
  const read = events.slice(0, limit);
  const last = read.at(-1);
  const hasMore = events.length > limit;
  // Forwards there may always be more later; and the last event that a filter lets through is rarely
  // the first of the room, so that clients expect a place there.
  let next: TimelinePlace | null = null;
  if (last && direction === 'f') next = placeAt(last);
  else if (last && (hasMore || page.match)) next = placeBefore(last);
  const shown = read.filter((event) => visibility.allows(event));
  return { shown, next, hasMore, lastType: last?.type ?? null };
}

/** An event and its surroundings, as far as the user may see them. */
export async function readContext(
  services: RoomServices,
  access: RoomAccess,
  visibility: Visibility,
  eventId: string,
  { limit, match }: { limit: number; match: TimelineMatch | null },
) {
  const event = await services.timeline.event(access.roomNid, eventId);
  if (!event || event.status !== 0 || event.pos === null || !visibility.allows(event)) {
    throw new MatrixError('M_NOT_FOUND', 'Event not found.');
  }
  const half = Math.floor(limit / 2);
  const backwards = { direction: 'b' as const, from: placeBefore(event), bound: -1 };
  const forwards = {
    direction: 'f' as const,
    from: placeAt(event),
    bound: Number.MAX_SAFE_INTEGER,
  };
  const [before, after] = await Promise.all([
    readPage(services, access, visibility, { ...backwards, limit: half, match }),
    readPage(services, access, visibility, { ...forwards, limit: limit - half, match }),
  ]);
  return {
    event,
    before: before.shown,
    after: after.shown,
    startPlace: before.next ?? { pos: 0, sub: 0 },
    endPlace: after.next ?? placeAt(event),
  };
}
