import { answerOf, listOf } from '../federation-client/answers.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import { inGroups } from '../kernel/in-groups.ts';
import type { BuiltEvent } from '../matrix/event-builder.ts';
import { referencedIds, type JsonValue, type Pdu } from '../matrix/pdu.ts';
import { checkHistoric, refusalByAuthEvents, type FindServerKey } from '../matrix/received-pdu.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import { contentOf, type RoomServices } from '../rooms/module.ts';

export interface HistoryNeeds {
  serverName: string;
  federation: Pick<FederationClient, 'request'>;
  findKey: FindServerKey;
  rooms: () => RoomServices;
  clock: Clock;
}

interface Room {
  roomNid: number;
  roomId: string;
  roomVersion: string;
}

/** Events that are asked for at once. */
const askedMax = 100;
/** Servers that are asked, one after the other. */
const serversMax = 3;
/** A client waits meanwhile. */
const askMsMax = 15_000;
const answerBytesMax = 16 * 1024 * 1024;
/** Auth events that are fetched one by one. */
const authMax = 50;
const fetchedAtOnce = 10;
/** A room of which nobody gave more is not asked about again for so long. */
const againMs = 60_000;
const remembered = 10_000;

const encoded = encodeURIComponent;

/**
 * History from before this server came into a room (server-server spec, "Backfilling and retrieving
 * missing events"). Of rooms whose history is for those who were there only, nothing is asked for.
 */
export function createFederationHistory(needs: HistoryNeeds) {
  const { serverName, federation, findKey, clock } = needs;
  const askedTs = boundedCache<number, number>(remembered);
  const filling = new Map<number, Promise<boolean>>();

  const ask = (server: string, uri: string) =>
    answerOf(federation, server, {
      method: 'GET',
      uri,
      timeoutMs: askMsMax,
      bytesMax: answerBytesMax,
    });

  async function checked(room: Room, given: readonly JsonValue[]): Promise<BuiltEvent[]> {
    const version = roomVersion(room.roomVersion);
    const events = await inGroups(given, fetchedAtOnce, (each) =>
      checkHistoric(version, room.roomId, each, findKey),
    );
    return events.filter((event) => typeof event !== 'string');
  }

  /** Whether others than those who were there may read the history. */
  async function isShared({ roomNid }: Room): Promise<boolean> {
    const [entry] = await needs
      .rooms()
      .states.entries(roomNid, [['m.room.history_visibility', '']]);
    const visibility = entry ? contentOf(entry)['history_visibility'] : 'shared';
    return visibility !== 'joined' && visibility !== 'invited';
  }

  /** The events that these name to be allowed by, as far as they are to be had. */
  async function authEvents(server: string, room: Room, events: readonly BuiltEvent[]) {
    const { pdus, foreign } = needs.rooms();
    const found = new Map<string, Pdu>(events.map(({ eventId, pdu }) => [eventId, pdu]));
    const named = new Set(events.flatMap(({ pdu }) => referencedIds(pdu.auth_events)));
    const wanted = [...named].filter((id) => !found.has(id));
    const known = await pdus.byIds(room.roomNid, wanted);
    for (const [id, text] of known) found.set(id, JSON.parse(text) as Pdu);
    const missing = wanted.filter((id) => !known.has(id)).slice(0, authMax);
    const fetched = await inGroups(missing, fetchedAtOnce, async (id) => {
      const answer = await ask(server, `/_matrix/federation/v1/event/${encoded(id)}`);
      const given = await checked(room, listOf(answer?.['pdus']));
      return given.filter(({ eventId }) => eventId === id);
    });
    await foreign.keepOutliers(room.roomNid, fetched.flat());
    for (const { eventId, pdu } of fetched.flat()) found.set(eventId, pdu);
    return found;
  }

  /** Those of the events that the rules let in by the events that they name. */
  async function allowed(server: string, room: Room, events: readonly BuiltEvent[]) {
    const { states } = needs.rooms();
    const version = roomVersion(room.roomVersion);
    const [byId, [createEntry]] = await Promise.all([
      authEvents(server, room, events),
      states.entries(room.roomNid, [['m.room.create', '']]),
    ]);
    if (!createEntry) return [];
    const createPdu = {
      sender: createEntry.sender,
      type: 'm.room.create',
      state_key: '',
      content: contentOf(createEntry),
    } as Pdu;
    const create = { eventId: createEntry.eventId, pdu: createPdu, isRejected: false };
    return events.filter(({ pdu, eventId }) => {
      if (pdu.type === 'm.room.create') return eventId === create.eventId;
      const named = referencedIds(pdu.auth_events).map((id) => [id, byId.get(id)] as const);
      if (named.some(([, each]) => !each)) return false;
      const auth = named.map(([id, each]) => ({ eventId: id, pdu: each!, isRejected: false }));
      return refusalByAuthEvents(version, pdu, auth, create) === null;
    });
  }

  async function fillFrom(server: string, room: Room, earliestId: string): Promise<boolean> {
    const { foreign, history } = needs.rooms();
    const query = `v=${encoded(earliestId)}&limit=${askedMax}`;
    const uri = `/_matrix/federation/v1/backfill/${encoded(room.roomId)}?${query}`;
    const answer = await ask(server, uri);
    const given = await checked(room, listOf(answer?.['pdus']));
    const others = given.filter(({ eventId }) => eventId !== earliestId);
    const events = (await allowed(server, room, others)).toSorted(
      (a, b) => a.pdu.depth - b.pdu.depth || a.pdu.origin_server_ts - b.pdu.origin_server_ts,
    );
    if (events.length === 0) return false;
    await foreign.keepOutliers(room.roomNid, events);
    const ids = events.map(({ eventId }) => eventId);
    return (await history.place(room.roomNid, earliestId, ids)) > 0;
  }

  async function fill(room: Room): Promise<boolean> {
    const { servers, history } = needs.rooms();
    const others = [...((await servers.joined([room.roomNid])).get(room.roomNid)?.keys() ?? [])];
    if (others.length === 0) return false;
    const [earliest, mayAsk] = await Promise.all([history.earliest(room.roomNid), isShared(room)]);
    if (!earliest || earliest.type === 'm.room.create' || !mayAsk) return false;
    const candidates = others.filter((name) => name !== serverName).slice(0, serversMax);
    for (const server of candidates) {
      // oxlint-disable-next-line no-await-in-loop -- the next only when one has nothing
      if (await fillFrom(server, room, earliest.eventId)) return true;
    }
    askedTs.set(room.roomNid, clock.now());
    return false;
  }

  return {
    /** As `Elsewhere.fillHistory`. */
    fillHistory(room: Room): Promise<boolean> {
      const lastTs = askedTs.get(room.roomNid);
      if (lastTs !== undefined && clock.now() - lastTs < againMs) return Promise.resolve(false);
      const under = filling.get(room.roomNid);
      if (under) return under;
      const work = fill(room).finally(() => filling.delete(room.roomNid));
      filling.set(room.roomNid, work);
      return work;
    },
  };
}
