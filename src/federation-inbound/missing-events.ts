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
import type { ReceivedEvent, RoomServices } from '../rooms/module.ts';

export interface MissingEventsNeeds {
  federation: Pick<FederationClient, 'request'>;
  findKey: FindServerKey;
  rooms: () => RoomServices;
}

export interface InboundRoom {
  roomId: string;
  roomNid: number;
  roomVersion: string;
}

/** Events that are asked for at once between what is known and what is new. */
const askedMax = 20;
/** Times that is done for one event before its state is asked for instead. */
const roundsMax = 3;
/** Events whose states are asked for, for one event. */
const statesMax = 5;
const fetchedAtOnce = 10;
/** More missing events than this are fetched as a whole state. */
const singlyMax = 50;
const stateBytesMax = 256 * 1024 * 1024;
const stateMsMax = 5 * 60_000;

const encoded = encodeURIComponent;

const idsIn = (value: JsonValue | undefined): string[] =>
  listOf(value).filter((id) => typeof id === 'string');

/**
 * Fills what is missing between an event and those that are known here: with the events between, or,
 * where there are too many, with the state that the server tells. Source: server-server spec,
 * "Retrieving events", "Checks performed on receipt of a PDU".
 */
export function createMissingEvents(needs: MissingEventsNeeds) {
  const { federation, findKey } = needs;

  const ask = (origin: string, request: FederationRequest) => answerOf(federation, origin, request);

  async function checkAll(
    room: InboundRoom,
    given: readonly JsonValue[],
    check: typeof checkHistoric,
  ): Promise<BuiltEvent[]> {
    const version = roomVersion(room.roomVersion);
    const checked = await inGroups(given, fetchedAtOnce, (each) =>
      check(version, room.roomId, each, findKey),
    );
    return checked.filter((event) => typeof event !== 'string');
  }

  async function between(origin: string, room: InboundRoom, event: BuiltEvent, ends: string[]) {
    const answer = await ask(origin, {
      method: 'POST',
      uri: `/_matrix/federation/v1/get_missing_events/${encoded(room.roomId)}`,
      content: {
        earliest_events: ends,
        latest_events: [event.eventId],
        limit: askedMax,
        min_depth: 0,
      },
      bytesMax: stateBytesMax,
    });
    const events = await checkAll(room, listOf(answer?.['events']), checkReceived);
    return events.toSorted((a, b) => a.pdu.depth - b.pdu.depth);
  }

  async function fetchEvent(origin: string, room: InboundRoom, eventId: string) {
    const uri = `/_matrix/federation/v1/event/${encoded(eventId)}`;
    const answer = await ask(origin, { method: 'GET', uri });
    const events = await checkAll(room, listOf(answer?.['pdus']), checkHistoric);
    return events.find((event) => event.eventId === eventId) ?? null;
  }

  /** Sees to it that the events are stored. */
  async function store(
    origin: string,
    room: InboundRoom,
    ids: readonly string[],
    atEventId: string,
  ): Promise<void> {
    const { foreign, pdus } = needs.rooms();
    const known = await pdus.knownAmong(room.roomNid, ids);
    const unknown = ids.filter((id) => !known.has(id));
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
    await foreign.keepOutliers(
      room.roomNid,
      events.filter((event) => event !== null),
    );
  }

  /** The ids of the state after an event that is not known here; null: the server does not tell. */
  async function stateAfter(
    origin: string,
    room: InboundRoom,
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
    const { foreign, pdus } = needs.rooms();
    const stateIds = idsIn(answer['pdu_ids']);
    await store(origin, room, [...idsIn(answer['auth_chain_ids']), ...stateIds], eventId);
    const known = await pdus.byIds(room.roomNid, stateIds);
    if (known.size < new Set(stateIds).size) return null;
    const { type, state_key: stateKey } = event.pdu;
    if (stateKey === undefined) return stateIds;
    await foreign.keepOutliers(room.roomNid, [event]);
    const key = keyOf(type, stateKey);
    const kept = [...known].flatMap(([id, text]) => {
      const other = JSON.parse(text) as { type: string; state_key?: string };
      return keyOf(other.type, other.state_key ?? '') === key ? [] : id;
    });
    return [...kept, eventId];
  }

  async function withStates(
    origin: string,
    room: InboundRoom,
    event: BuiltEvent,
  ): Promise<ReceivedEvent | null> {
    const { pdus, writer } = needs.rooms();
    const prevIds = referencedIds(event.pdu.prev_events);
    const authIds = referencedIds(event.pdu.auth_events);
    const known = await pdus.knownAmong(room.roomNid, prevIds);
    const missing = prevIds.filter((id) => !known.has(id));
    const wanted = missing.length > 0 ? missing : prevIds;
    if (wanted.length > statesMax) return null;
    const statesAfter: Record<string, string[]> = {};
    for (const id of wanted) {
      // oxlint-disable-next-line no-await-in-loop -- each may be large
      const state = await stateAfter(origin, room, id);
      if (!state) return null;
      statesAfter[id] = state;
    }
    await store(origin, room, authIds, event.eventId);
    const [received] = await writer.receive({ roomId: room.roomId, events: [event], statesAfter });
    return received!;
  }

  return {
    /** Receives an event whose predecessors are missing; what is missing is asked of its server. */
    async receive(
      origin: string,
      room: InboundRoom,
      event: BuiltEvent,
      first: ReceivedEvent,
    ): Promise<ReceivedEvent> {
      const { pdus, writer } = needs.rooms();
      let received = first;
      for (let round = 1; round <= roundsMax; round++) {
        // oxlint-disable-next-line no-await-in-loop -- each stands on the one before
        const events = await between(origin, room, event, await pdus.ends(room.roomNid));
        if (events.length === 0) break;
        const request = { roomId: room.roomId, events: [...events, event] };
        // oxlint-disable-next-line no-await-in-loop
        received = (await writer.receive(request)).at(-1)!;
        if (received.outcome !== 'missing') return received;
      }
      return (await withStates(origin, room, event)) ?? received;
    },
  };
}

export type MissingEvents = ReturnType<typeof createMissingEvents>;
