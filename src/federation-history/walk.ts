import type { BuiltEvent } from '../matrix/event-builder.ts';
import { referencedIds } from '../matrix/pdu.ts';

/** A piece of a room's history, as another server gives it. */
export interface Fetched {
  /** Oldest first. */
  events: BuiltEvent[];
  /** Events that come before those, and that are not known. */
  missing: string[];
  /** It goes back to the beginning of the room. */
  isFromStart: boolean;
}

/** What is known of events that another server gives, by their ids. */
export interface Known {
  given: ReadonlyMap<string, BuiltEvent>;
  /** Those that the rules let in. */
  allowed: ReadonlySet<string>;
  /** Those that they refuse: what comes before them counts all the same. */
  refused: ReadonlySet<string>;
  /** Events that have their places here already. */
  placed: ReadonlySet<string>;
}

const byAge = (a: BuiltEvent, b: BuiltEvent) =>
  a.pdu.depth - b.pdu.depth || a.pdu.origin_server_ts - b.pdu.origin_server_ts;

/** Ids that one event may be followed back to in a gap; bounds what is stored of it. */
const missingMax = 200;

/** Follows prev_events from some events back to what is placed already, or no longer given. */
export function walkBack(from: readonly string[], known: Known): Fetched {
  const { given, allowed, refused, placed } = known;
  const events: BuiltEvent[] = [];
  const missing: string[] = [];
  const seen = new Set(from);
  const queue = [...seen];
  for (const id of queue) {
    if (placed.has(id)) continue;
    const event = given.get(id);
    const isAllowed = event !== undefined && allowed.has(id);
    if (!event || (!isAllowed && !refused.has(id))) {
      missing.push(id);
      continue;
    }
    if (isAllowed) events.push(event);
    for (const prev of referencedIds(event.pdu.prev_events)) {
      if (seen.has(prev)) continue;
      seen.add(prev);
      queue.push(prev);
    }
  }
  const isFromStart =
    missing.length === 0 && events.some(({ pdu }) => pdu.type === 'm.room.create');
  return { events: events.toSorted(byAge), missing: missing.slice(0, missingMax), isFromStart };
}

/** All ids that a walk over given events may come to. */
export const idsOnTheWay = (from: readonly string[], given: Iterable<BuiltEvent>): string[] => [
  ...new Set([
    ...from,
    ...[...given].flatMap(({ eventId, pdu }) => [eventId, ...referencedIds(pdu.prev_events)]),
  ]),
];
