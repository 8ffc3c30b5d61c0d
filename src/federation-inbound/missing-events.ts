import { answerOf, listOf } from '../federation-client/answers.ts';
import type {
  FederationClient,
  FederationRequest,
} from '../federation-client/federation-client.ts';
import { inGroups } from '../kernel/in-groups.ts';
import type { BuiltEvent } from '../matrix/event-builder.ts';
import { referencedIds, type JsonValue } from '../matrix/pdu.ts';
import { checkHistoric, checkReceived, type FindServerKey } from '../matrix/received-pdu.ts';
import { keyOf } from '../matrix/state-resolution/types.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import type { KnownRoom, ReceivedEvent, RoomServices } from '../rooms/module.ts';
import { keepOutliers } from './keep-outliers.ts';

export interface MissingEventsNeeds {
  federation: Pick<FederationClient, 'request'>;
  findKey: FindServerKey;
  rooms: () => RoomServices;
}

/** Events that are asked for at once between what is known and what is new. */
const askedMax = 20;
/** Times that is done for one event before states are asked for instead. */
const roundsMax = 3;
/** Events whose states, or whose auth events, are asked for, for one event. */
const statesMax = 5;
const fetchedAtOnce = 10;
/** More missing events than this are fetched as a whole state. */
const singlyMax = 50;
const stateBytesMax = 256 * 1024 * 1024;
const stateMsMax = 5 * 60_000;

const encoded = encodeURIComponent;

const idsIn = (value: JsonValue | undefined): string[] =>
  listOf(value).filter((id) => typeof id === 'string');

const byDepth = (a: BuiltEvent, b: BuiltEvent) => a.pdu.depth - b.pdu.depth;

/**
 * Fills what is missing between an event and those that are known here: with the events between, and,
 * where there are too many, with the state that the server tells before the oldest of those. A server
 * that keeps back what its event follows does not get to tell the state there. Source: server-server
 * spec, "Retrieving events", "Checks performed on receipt of a PDU".
 */
export function createMissingEvents(needs: MissingEventsNeeds) {
  const { federation, findKey } = needs;

  const ask = (origin: string, request: FederationRequest) => answerOf(federation, origin, request);

  async function checkAll(
    room: KnownRoom,
    given: readonly JsonValue[],
    check: typeof checkHistoric,
  ): Promise<BuiltEvent[]> {
    const version = roomVersion(room.roomVersion);
    const checked = await inGroups(given, fetchedAtOnce, (each) =>
      check(version, room.roomId, each, findKey),
    );
    return checked.filter((event) => typeof event !== 'string');
  }

  async function between(
    origin: string,
    room: KnownRoom,
    [ends, latest]: readonly [readonly string[], readonly string[]],
  ): Promise<{ events: BuiltEvent[]; isFull: boolean }> {
    const answer = await ask(origin, {
      method: 'POST',
      uri: `/_matrix/federation/v1/get_missing_events/${encoded(room.roomId)}`,
      content: {
        earliest_events: [...ends],
        latest_events: [...latest],
        limit: askedMax,
        min_depth: 0,
      },
      bytesMax: stateBytesMax,
    });
    const given = listOf(answer?.['events']).slice(0, askedMax);
    const events = await checkAll(room, given, checkReceived);
    return { events, isFull: given.length === askedMax };
  }

  const keep = (room: KnownRoom, events: readonly BuiltEvent[]) =>
    keepOutliers(needs.rooms(), room, events);

  async function missingAmong(room: KnownRoom, ids: readonly string[]): Promise<string[]> {
    const known = await needs.rooms().pdus.knownAmong(room.roomNid, ids);
    return [...new Set(ids)].filter((id) => !known.has(id));
  }

  async function fetchEvent(origin: string, room: KnownRoom, eventId: string) {
    const uri = `/_matrix/federation/v1/event/${encoded(eventId)}`;
    const answer = await ask(origin, { method: 'GET', uri });
    const events = await checkAll(room, listOf(answer?.['pdus']), checkHistoric);
    return events.find((event) => event.eventId === eventId) ?? null;
  }

  /** Sees to it that the events are stored. */
  async function store(
    origin: string,
    room: KnownRoom,
    ids: readonly string[],
    atEventId: string,
  ): Promise<void> {
    const unknown = await missingAmong(room, ids);
    if (unknown.length === 0) return;
    let events: (BuiltEvent | null)[];
    if (unknown.length <= singlyMax) {
      events = await inGroups(unknown, fetchedAtOnce, (id) => fetchEvent(origin, room, id));
    } else {
      const answer = await ask(origin, {
        method: 'GET',
        uri: `/_matrix/federation/v1/state/${encoded(room.roomId)}?event_id=${encoded(atEventId)}`,
        bytesMax: stateBytesMax,
        timeoutMs: stateMsMax,
      });
      const all = [...listOf(answer?.['auth_chain']), ...listOf(answer?.['pdus'])];
      events = await checkAll(room, all, checkHistoric);
    }
    await keep(
      room,
      events.filter((event) => event !== null),
    );
  }

  /** The ids of the state after an event that is not known here; null: the server does not tell. */
  async function stateAfter(
    origin: string,
    room: KnownRoom,
    eventId: string,
  ): Promise<string[] | null> {
    const query = `event_id=${encoded(eventId)}`;
    const [answer, event] = await Promise.all([
      ask(origin, {
        method: 'GET',
        uri: `/_matrix/federation/v1/state_ids/${encoded(room.roomId)}?${query}`,
        bytesMax: stateBytesMax,
      }),
      fetchEvent(origin, room, eventId),
    ]);
    if (!answer || !event) return null;
    const { pdus } = needs.rooms();
    const stateIds = idsIn(answer['pdu_ids']);
    await store(origin, room, [...idsIn(answer['auth_chain_ids']), ...stateIds], eventId);
    const known = await pdus.byIds(room.roomNid, stateIds);
    if (known.size < new Set(stateIds).size) return null;
    const { type, state_key: stateKey } = event.pdu;
    if (stateKey === undefined) return stateIds;
    await keep(room, [event]);
    if ((await missingAmong(room, [eventId])).length > 0) return null;
    const key = keyOf(type, stateKey);
    const kept = [...known].flatMap(([id, text]) => {
      const other = JSON.parse(text) as { type: string; state_key?: string };
      return keyOf(other.type, other.state_key ?? '') === key ? [] : id;
    });
    return [...kept, eventId];
  }

  /** Sees to it that the auth events of these events are stored, as far as they can be had. */
  async function fetchAuthEvents(origin: string, room: KnownRoom, events: readonly BuiltEvent[]) {
    const named = events.flatMap(({ pdu }) => referencedIds(pdu.auth_events));
    const own = new Set(events.map(({ eventId }) => eventId));
    const missing = new Set((await missingAmong(room, named)).filter((id) => !own.has(id)));
    if (missing.size === 0) return;
    const lacking = events.filter(({ pdu }) =>
      referencedIds(pdu.auth_events).some((id) => missing.has(id)),
    );
    await inGroups(lacking.slice(0, statesMax), 1, async ({ eventId }) => {
      const uri = `/_matrix/federation/v1/event_auth/${encoded(room.roomId)}/${encoded(eventId)}`;
      const answer = await ask(origin, { method: 'GET', uri, bytesMax: stateBytesMax });
      const chain = await checkAll(room, listOf(answer?.['auth_chain']), checkHistoric);
      // These are about to get their places.
      await keep(
        room,
        chain.filter((one) => !own.has(one.eventId)),
      );
    });
    const left = (await missingAmong(room, [...missing])).slice(0, singlyMax);
    const fetched = await inGroups(left, fetchedAtOnce, (id) => fetchEvent(origin, room, id));
    await keep(
      room,
      fetched.filter((event) => event !== null),
    );
  }

  /** Events that these follow, and that neither are among them nor have a place here. */
  async function gapsBefore(room: KnownRoom, events: ReadonlyMap<string, BuiltEvent>) {
    const named = [...events.values()].flatMap(({ pdu }) => referencedIds(pdu.prev_events));
    const outside = [...new Set(named)].filter((id) => !events.has(id));
    if (outside.length === 0) return new Set<string>();
    const placed = await needs.rooms().history.placedAmong(room.roomNid, outside);
    return new Set(outside.filter((id) => !placed.has(id)));
  }

  /** The event and those between it and what is known here, as far as its server gives them. */
  async function gather(origin: string, room: KnownRoom, event: BuiltEvent) {
    const events = new Map([[event.eventId, event]]);
    let gaps = await gapsBefore(room, events);
    if (gaps.size === 0) return { events, gaps };
    const ends = await needs.rooms().pdus.ends(room.roomNid);
    for (let round = 1; round <= roundsMax && gaps.size > 0; round++) {
      const latest = [...events.values()].filter(({ pdu }) =>
        referencedIds(pdu.prev_events).some((id) => gaps.has(id)),
      );
      const question = [ends, latest.map(({ eventId }) => eventId)] as const;
      // oxlint-disable-next-line no-await-in-loop -- each goes on from the one before
      const given = await between(origin, room, question);
      for (const one of given.events) events.set(one.eventId, one);
      // oxlint-disable-next-line no-await-in-loop
      gaps = await gapsBefore(room, events);
      if (!given.isFull) break;
    }
    return { events, gaps };
  }

  /** The states after events that are not to be had; null: they are too many, or not told. */
  async function statesAfter(origin: string, room: KnownRoom, eventIds: ReadonlySet<string>) {
    if (eventIds.size > statesMax) return null;
    const states: Record<string, string[]> = {};
    for (const id of eventIds) {
      // oxlint-disable-next-line no-await-in-loop -- each may be large
      const state = await stateAfter(origin, room, id);
      if (!state) return null;
      states[id] = state;
    }
    return states;
  }

  return {
    /** Receives an event that names what is missing here; that is asked of its server. */
    async receive(
      origin: string,
      room: KnownRoom,
      event: BuiltEvent,
      first: ReceivedEvent,
    ): Promise<ReceivedEvent> {
      const { events, gaps } = await gather(origin, room, event);
      if (referencedIds(event.pdu.prev_events).some((id) => gaps.has(id))) return first;
      const states = await statesAfter(origin, room, gaps);
      if (!states) return first;
      const ordered = [...events.values()].toSorted(byDepth);
      await fetchAuthEvents(origin, room, ordered);
      const request = { roomId: room.roomId, events: ordered, statesAfter: states };
      const received = await needs.rooms().writer.receive(request);
      return received.find(({ eventId }) => eventId === event.eventId) ?? first;
    },
  };
}

export type MissingEvents = ReturnType<typeof createMissingEvents>;
