import type { FederationClient } from '../federation-client/federation-client.ts';
import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import { isEventId } from '../matrix/ids.ts';
import type { FindServerKey } from '../matrix/received-pdu.ts';
import type { Elsewhere, HistoryGap, KnownRoom, RoomServices } from '../rooms/module.ts';
import type { TimelinePlace } from '../streams/position.ts';
import { judge } from './authorised.ts';
import { createHistoryQuestions } from './questions.ts';
import { createStatesBefore } from './states-before.ts';
import { idsOnTheWay, walkBack, type Fetched } from './walk.ts';

export interface HistoryNeeds {
  serverName: string;
  federation: Pick<FederationClient, 'request'>;
  findKey: FindServerKey;
  rooms: () => RoomServices;
  clock: Clock;
}

/** Servers that are asked, one after the other. */
const serversMax = 3;
/** A gap in which nobody had anything is not asked about again for so long. */
const againMs = 60_000;
const remembered = 10_000;

/**
 * History of rooms from times at which this server was not there, or did not hear of it (server-server
 * spec, "Backfilling and retrieving missing events", "getEventByTimestamp").
 */
export function createFederationHistory(
  needs: HistoryNeeds,
): Pick<Elsewhere, 'fillHistory' | 'fetchNearest'> {
  const { serverName, clock, rooms } = needs;
  const questions = createHistoryQuestions(needs);
  const statesBefore = createStatesBefore({ serverName, rooms, questions });
  const askedTs = boundedCache<string, number>(remembered);
  const filling = new Map<string, Promise<boolean>>();

  /** Servers to ask, those that have been in the room for longest first. */
  async function serversIn({ roomNid }: KnownRoom): Promise<string[]> {
    const joined = (await rooms().servers.joined([roomNid])).get(roomNid);
    return [...(joined ?? [])]
      .filter(([name]) => name !== serverName)
      .toSorted(([, a], [, b]) => a - b)
      .slice(0, serversMax)
      .map(([name]) => name);
  }

  /** What a server gives of the events and of what comes before them, up to what is known here. */
  async function fetch(server: string, room: KnownRoom, from: readonly string[]): Promise<Fetched> {
    const given = await questions.backfill(server, room, from);
    const events = [...given.values()];
    const [placed, judged] = await Promise.all([
      rooms().history.placedAmong(room.roomNid, idsOnTheWay(from, events)),
      judge(rooms(), questions, server, room, events),
    ]);
    return walkBack(from, { given, ...judged, placed });
  }

  async function fillFrom(server: string, room: KnownRoom, gap: HistoryGap): Promise<boolean> {
    const fetched = await fetch(server, room, gap.missing);
    const isNews = fetched.events.length > 0 || fetched.missing.length < gap.missing.length;
    if (!isNews) return false;
    const before = await statesBefore.within(server, room, fetched);
    await rooms().foreign.fillGap(room.roomNid, gap, { ...fetched, before });
    return true;
  }

  async function fill(room: KnownRoom, place: TimelinePlace, key: string): Promise<boolean> {
    const { history } = rooms();
    const gap = await history.gapBelow(room.roomNid, place, place.pos - 1);
    // Somebody else has filled it.
    if (!gap || gap.sub !== place.sub) return true;
    const placed = await history.placedAmong(room.roomNid, gap.missing);
    if (gap.missing.every((id) => placed.has(id))) {
      await rooms().foreign.fillGap(room.roomNid, gap, { events: [], missing: [], before: [] });
      return true;
    }
    for (const server of await serversIn(room)) {
      // oxlint-disable-next-line no-await-in-loop -- the next only when one has nothing
      if (await fillFrom(server, room, gap)) return true;
    }
    askedTs.set(key, clock.now());
    return false;
  }

  /** The gap in which an event belongs: events that follow it are deeper. */
  const gapAbove = (gaps: readonly HistoryGap[], depth: number) =>
    gaps.find((gap) => gap.depth > depth);

  /** Gives the event its place, with what comes before it. Whether it has one now. */
  async function take(server: string, room: KnownRoom, eventId: string): Promise<boolean> {
    const { history, foreign } = rooms();
    const placed = await history.placedAmong(room.roomNid, [eventId]);
    if (placed.has(eventId)) return true;
    const fetched = await fetch(server, room, [eventId]);
    const event = fetched.events.find((one) => one.eventId === eventId);
    const gap = event && gapAbove(await history.gaps(room.roomNid), event.pdu.depth);
    if (!gap) return false;
    const before = await statesBefore.within(server, room, fetched);
    if (gap.missing.includes(eventId)) {
      const rest = gap.missing.filter((id) => id !== eventId && !fetched.missing.includes(id));
      const missing = [...rest, ...fetched.missing];
      await foreign.fillGap(room.roomNid, gap, { ...fetched, missing, before });
      return true;
    }
    const visibility = await statesBefore.openVisibility(server, room, fetched);
    if (!visibility) return false;
    const stretch = { ...fetched, before: [...before, visibility] };
    return foreign.startStretch(room.roomNid, gap, stretch);
  }

  return {
    async fillHistory(room, gap) {
      const key = `${room.roomNid} ${gap.pos} ${gap.sub}`;
      const lastTs = askedTs.get(key);
      if (lastTs !== undefined && clock.now() - lastTs < againMs) return false;
      const under = filling.get(key);
      if (under) return under;
      const work = fill(room, gap, key).finally(() => filling.delete(key));
      filling.set(key, work);
      return work;
    },
    async fetchNearest(room, { ts, direction, knownTs }) {
      const isNearer = (foundTs: number) =>
        direction === 'b'
          ? foundTs <= ts && (knownTs === null || foundTs > knownTs)
          : foundTs >= ts && (knownTs === null || foundTs < knownTs);
      for (const server of await serversIn(room)) {
        // oxlint-disable-next-line no-await-in-loop -- the next only when one knows nothing better
        const found = await questions.atTime(server, room, { ts, direction });
        if (!found || !isEventId(found.eventId) || !isNearer(found.ts)) continue;
        // oxlint-disable-next-line no-await-in-loop
        if (await take(server, room, found.eventId)) return true;
      }
      return false;
    },
  };
}
