import type { TimelinePlace } from '../streams/position.ts';
import { timelineVisibility } from './read-access.ts';
import type { AccessUser, RoomAccess } from './room-access.ts';
import type { RoomServices } from './services.ts';
import type { HistoryGap } from './store/history.ts';
import type { TimelinePage } from './store/read-timeline.ts';
import type { StoredEvent } from './stored-event.ts';
import type { Visibility } from './visibility.ts';

export const placeAt = (event: StoredEvent): TimelinePlace => ({ pos: event.pos!, sub: event.sub });

/**
 * The place just before an event. What fills the gap before an event on a fork, such as the join by
 * which this server came, has the event's own position.
 */
export const placeBefore = (event: StoredEvent): TimelinePlace =>
  event.sub === 0 && !event.isForked
    ? { pos: event.pos! - 1, sub: 0 }
    : { pos: event.pos!, sub: event.sub - 1 };

const below = ({ pos, sub }: TimelinePlace): TimelinePlace => ({ pos, sub: sub - 1 });

/** The last position that is wholly at or before a place. */
export const positionOf = ({ pos, sub }: TimelinePlace): number => (sub < 0 ? pos - 1 : pos);

const isBefore = (a: TimelinePlace, b: TimelinePlace) =>
  a.pos < b.pos || (a.pos === b.pos && a.sub < b.sub);

type PageWish = Omit<TimelinePage, 'roomNid'>;

interface Page {
  /** What the user may see of the page, in the order of reading. */
  shown: StoredEvent[];
  /** Where to go on; null at the end of the timeline. */
  next: TimelinePlace | null;
}

/** Who reads a room. */
export interface TimelineReader {
  user: AccessUser;
  access: RoomAccess;
  /** What the user may and wants to see; another one when more of the history has become known. */
  visibility: Visibility;
}

/** What a page is read with. */
interface Reading {
  services: RoomServices;
  reader: TimelineReader;
  page: PageWish;
  /** Times that other servers may still be asked. */
  fills: number;
  /** Whether the page may go on beyond a gap that could be filled, rather than be empty. */
  mayLeap: boolean;
}

/** Times that other servers are asked for one page, each time for a hundred events. */
const fillsMax = 10;

/**
 * Reads a page; events that the user may not see are left out of it. Where the history known here has
 * a gap, other servers are asked for what belongs there, `fills` times at most; a page ends at a gap
 * of which there is more to be had, and goes on beyond one that nobody fills.
 */
export async function readPage(
  services: RoomServices,
  reader: TimelineReader,
  page: PageWish,
  fills = fillsMax,
): Promise<Page> {
  if (page.limit === 0) return { shown: [], next: page.from };
  const reading = { services, reader, page, fills, mayLeap: fills > 0 };
  return page.direction === 'b' ? readBackwards(reading) : readForwards(reading);
}

/** Events up to one more than the page may have, and the page as it is without a gap. */
async function readKnown({ services, reader, page }: Reading) {
  const { direction, limit } = page;
  const { roomNid } = reader.access;
  const events = await services.timeline.page({ ...page, roomNid, limit: limit + 1 });
  const read = events.slice(0, limit);
  const last = read.at(-1);
  // Forwards there may always be more later; and the last event that a filter lets through is rarely
  // the first of the room, so that clients expect a place there.
  let next: TimelinePlace | null = null;
  if (last && direction === 'f') next = placeAt(last);
  else if (last && (events.length > limit || page.match)) next = placeBefore(last);
  return { read, next, shown: seen(reader, read) };
}

const seen = ({ visibility }: TimelineReader, events: readonly StoredEvent[]) =>
  events.filter((event) => visibility.allows(event));

/** Tries to fill a gap; whether there is more to be read now. */
async function fill(reading: Reading, gap: TimelinePlace): Promise<boolean> {
  const { services, reader } = reading;
  const { access, user } = reader;
  reading.fills--;
  if (!(await services.elsewhere.fillHistory(access, gap))) return false;
  reader.visibility = await timelineVisibility(services, access.roomNid, user);
  return true;
}

async function readBackwards(reading: Reading): Promise<Page> {
  const { services, reader, page } = reading;
  const { roomNid } = reader.access;
  const { history } = services;
  /** The lowest gap that nothing is to be had of. */
  let passed: TimelinePlace | null = null;
  let hasFailed = false;
  const nextGap = async (): Promise<HistoryGap | null> => {
    const start = passed ? below(passed) : page.from;
    const around = passed ? null : await history.gapAt(roomNid, start);
    return around ?? history.gapBelow(roomNid, start, page.bound);
  };
  for (;;) {
    // What is filled in after this has been asked is in the page.
    // oxlint-disable-next-line no-await-in-loop -- each goes on where the one before ended
    const gap = await nextGap();
    // oxlint-disable-next-line no-await-in-loop
    const { read, next, shown } = await readKnown(reading);
    // There may be more another time than can be had now.
    const last = read.at(-1);
    const end = next ?? (hasFailed && last ? placeBefore(last) : null);
    if (!gap) return { shown, next: end };
    const above = read.filter((event) => !isBefore(placeAt(event), gap));
    if (above.length === page.limit) return { shown, next: end };
    if (!reader.visibility.allowsBelow(gap)) passed = gap;
    else if (reading.fills === 0) {
      return { shown: seen(reader, above), next: below(gap) };
    }
    // oxlint-disable-next-line no-await-in-loop
    else if (!(await fill(reading, gap))) {
      passed = gap;
      hasFailed = true;
    }
  }
}

async function readForwards(reading: Reading): Promise<Page> {
  const { reader, page } = reading;
  const passed = new Set<string>();
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- each goes on where the one before ended
    const { read, next, shown } = await readKnown(reading);
    const at = page.match
      ? -1
      : read.findIndex((event) => event.isAfterGap && !passed.has(event.eventId));
    const event = read[at];
    if (!event) return { shown, next };
    const gap = placeAt(event);
    const mayFill = reader.visibility.allowsBelow(gap);
    if (mayFill && reading.fills === 0) {
      const known = read.slice(0, at);
      const last = known.at(-1);
      // A page without anything would pass for the end of the timeline.
      if (!last && reading.mayLeap) return { shown, next };
      return { shown: seen(reader, known), next: last ? placeAt(last) : null };
    }
    // oxlint-disable-next-line no-await-in-loop
    if (!mayFill || !(await fill(reading, gap))) passed.add(event.eventId);
  }
}
