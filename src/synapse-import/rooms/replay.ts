import type { BuiltEvent } from '../../matrix/event-builder.ts';
import { serverNameOf } from '../../matrix/ids.ts';
import { isJsonObject, referencedIds, type JsonObject } from '../../matrix/pdu.ts';
import type { RoomVersion } from '../../matrix/room-versions.ts';
import type { KnownBefore, ReceivedEvent, RoomImporter } from '../../rooms/module.ts';
import {
  arrivedEvents,
  eventsById,
  olderEvents,
  type HistoryPlace,
  type SynapseEvent,
} from '../source/events.ts';
import type { SynapseSource } from '../source/source.ts';
import { stateAfter, stateKeyOf } from '../source/state-groups.ts';

/** A room of Synapse's. */
export interface RoomToImport {
  roomId: string;
  version: RoomVersion;
}

export interface ReplayNeeds {
  source: SynapseSource;
  rooms: RoomImporter;
  serverName: string;
  /** What an admin should know of a room, a line. */
  note(text: string): void;
}

/** Events that are read, and taken in, together. */
const eventsAtOnce = 200;

const isMember = ({ pdu }: SynapseEvent['event']) =>
  pdu.type === 'm.room.member' && pdu.state_key !== undefined;

/** Takes over a room's events, in the order in which they came to Synapse; gives how many. */
export class Replay {
  readonly #needs: ReplayNeeds;
  readonly #room: RoomToImport;
  readonly #roomNid: number;
  /** Users of this server who are in the room at the point that the replay has reached. */
  readonly #joined = new Set<string>();
  /** Ids of outliers that are kept already. */
  readonly #kept = new Set<string>();

  constructor(needs: ReplayNeeds, room: RoomToImport, roomNid: number) {
    this.#needs = needs;
    this.#room = room;
    this.#roomNid = roomNid;
  }

  async run(): Promise<number> {
    const { source } = this.#needs;
    const { roomId, version } = this.#room;
    let count = 0;
    let after = 0;
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      const events = await arrivedEvents(source, version, roomId, after, eventsAtOnce);
      if (events.length === 0) break;
      after = events.at(-1)!.streamOrdering;
      // oxlint-disable-next-line no-await-in-loop
      await this.#take(events);
      count += events.length;
    }
    return count + (count > 0 ? await this.#takeHistory() : 0);
  }

  /** Tries all; where one lacks what comes before it, that is put in, and the rest is tried again. */
  async #take(events: readonly SynapseEvent[]): Promise<void> {
    let left = events;
    while (left.length > 0) {
      const softFailed = new Set(
        left.filter(({ isSoftFailed }) => isSoftFailed).map(({ event }) => event.eventId),
      );
      const request = { roomId: this.#room.roomId, events: left.map(({ event }) => event) };
      // oxlint-disable-next-line no-await-in-loop
      const results = await this.#needs.rooms.receive(request, softFailed);
      const at = results.findIndex(({ outcome }) => outcome === 'missing');
      const done = at === -1 ? left.length : at;
      for (const [i, one] of left.slice(0, done).entries()) this.#note(one, results[i]!);
      if (at === -1) return;
      // oxlint-disable-next-line no-await-in-loop
      await this.#bridge(left[at]!, results[at]!);
      left = left.slice(at + 1);
    }
  }

  #note({ event, isRejected }: SynapseEvent, { outcome, reason }: ReceivedEvent): void {
    const { eventId, pdu } = event;
    if (outcome === 'rejected' && !isRejected) {
      this.#needs.note(`${this.#room.roomId}: ${eventId} was rejected: ${reason}`);
    }
    if (outcome !== 'accepted' && outcome !== 'known') return;
    if (pdu.type !== 'm.room.member' || pdu.state_key === undefined) return;
    if (serverNameOf(pdu.state_key) !== this.#needs.serverName) return;
    if (pdu.content['membership'] === 'join') this.#joined.add(pdu.state_key);
    else this.#joined.delete(pdu.state_key);
  }

  /** Takes an event in which follows others that this server does not have. */
  async #bridge(one: SynapseEvent, { missing }: ReceivedEvent): Promise<void> {
    const { event } = one;
    const { eventId, pdu } = event;
    const { roomId, version } = this.#room;
    const before = await this.#stateBefore(one);
    if (before === null) {
      // Synapse did not know the state either: it keeps such events for what names them.
      await this.#keep([eventId]);
      return;
    }
    await this.#keep([...before, ...referencedIds(pdu.auth_events)]);
    const isOwnJoin =
      isMember(event) &&
      pdu.content['membership'] === 'join' &&
      serverNameOf(pdu.state_key!) === this.#needs.serverName;
    if (isOwnJoin && this.#joined.size === 0) {
      await this.#needs.rooms.foreign.adopt({
        roomId,
        roomVersion: version.id,
        state: (await eventsById(this.#needs.source, version, before)).map((found) => found.event),
        authChain: [],
        join: event,
      });
      this.#joined.add(pdu.state_key!);
      return;
    }
    const statesAfter = Object.fromEntries(missing.map((id) => [id, before]));
    const softFailed = new Set(one.isSoftFailed ? [eventId] : []);
    const [result] = await this.#needs.rooms.receive(
      { roomId, events: [event], statesAfter },
      softFailed,
    );
    if (result!.outcome === 'missing') {
      this.#needs.note(
        `${roomId}: ${eventId} is left out: ${result!.missing.join(', ')} is not there`,
      );
    } else this.#note(one, result!);
  }

  /** Ids of the state before an event; null: Synapse does not know it. */
  async #stateBefore({ event, unsigned }: SynapseEvent): Promise<string[] | null> {
    const { eventId, pdu } = event;
    const after = await stateAfter(this.#needs.source, eventId);
    if (after === null) return null;
    if (pdu.state_key !== undefined) {
      const key = stateKeyOf(pdu.type, pdu.state_key);
      const replaced = unsigned['replaces_state'];
      if (typeof replaced === 'string') after.set(key, replaced);
      else if (after.get(key) === eventId) after.delete(key);
    }
    return [...after.values()];
  }

  /** Keeps events, and all that they are authorised by, without their places. */
  async #keep(ids: readonly string[]): Promise<void> {
    const { source, rooms } = this.#needs;
    let wanted = [...new Set(ids)].filter((id) => !this.#kept.has(id));
    while (wanted.length > 0) {
      for (const id of wanted) this.#kept.add(id);
      // oxlint-disable-next-line no-await-in-loop -- one generation of auth events after the other
      const found = await eventsById(source, this.#room.version, wanted);
      const events = found.map(({ event }) => event);
      // oxlint-disable-next-line no-await-in-loop
      await rooms.foreign.keepOutliers(this.#roomNid, events);
      const named = events.flatMap(({ pdu }) => referencedIds(pdu.auth_events));
      wanted = [...new Set(named)].filter((id) => !this.#kept.has(id));
    }
  }

  /** Events that these follow and that have no place. */
  async #unknownBefore(events: readonly BuiltEvent[]): Promise<string[]> {
    const own = new Set(events.map(({ eventId }) => eventId));
    const named = new Set(events.flatMap(({ pdu }) => referencedIds(pdu.prev_events)));
    const others = [...named].filter((id) => !own.has(id));
    const placed = await this.#needs.rooms.history.placedAmong(this.#roomNid, others);
    return others.filter((id) => !placed.has(id));
  }

  /** Takes over what came from other servers about the time before. */
  async #takeHistory(): Promise<number> {
    const { source, rooms } = this.#needs;
    const { roomId, version } = this.#room;
    let place: HistoryPlace | null = null;
    let count = 0;
    do {
      // oxlint-disable-next-line no-await-in-loop
      const page: Awaited<ReturnType<typeof olderEvents>> = await olderEvents(
        source,
        version,
        roomId,
        place,
        eventsAtOnce,
      );
      // oxlint-disable-next-line no-await-in-loop
      const [gap] = await rooms.history.gaps(this.#roomNid);
      if (!gap || page.events.length === 0) return count;
      const events = page.events.map(({ event }) => event).toReversed();
      place = page.next;
      // oxlint-disable-next-line no-await-in-loop
      const unknown = await this.#unknownBefore(events);
      const isFromStart = unknown.length === 0;
      // The gap stays open for the pages that are still to come.
      const missing = isFromStart && place ? gap.missing : unknown;
      const before = visibilityBefore(events, isFromStart);
      // oxlint-disable-next-line no-await-in-loop
      await rooms.foreign.fillGap(this.#roomNid, gap, { events, missing, before });
      count += events.length;
    } while (place);
    return count;
  }
}

/** The history visibility before each event that changes it, where these events tell. */
function visibilityBefore(events: readonly BuiltEvent[], isFromStart: boolean): KnownBefore[] {
  const type = 'm.room.history_visibility';
  const changes = events.filter(({ pdu }) => pdu.type === type && pdu.state_key === '');
  return changes.flatMap(({ eventId }, i) => {
    const entryId = changes[i - 1]?.eventId ?? null;
    if (entryId === null && !isFromStart) return [];
    return { eventId, type, stateKey: '', entryId };
  });
}

const strippedIn = (unsigned: JsonObject): JsonObject[] | null => {
  const state = unsigned['invite_room_state'] ?? unsigned['knock_room_state'];
  return Array.isArray(state) ? state.filter((one) => isJsonObject(one)) : null;
};

/** Keeps memberships of users of this server in a room that it has never been in, such as invites. */
export async function takeStrays(
  { source, rooms }: ReplayNeeds,
  { roomId, version }: RoomToImport,
): Promise<number> {
  const rows = await source.rows(
    'select event_id from local_current_membership where room_id = $1',
    [roomId],
  );
  const ids = rows.map((row) => row['event_id'] as string);
  for (const { event, unsigned } of await eventsById(source, version, ids)) {
    const strippedState = strippedIn(unsigned);
    const stray = { roomId, roomVersion: version.id, event, strippedState };
    // oxlint-disable-next-line no-await-in-loop -- few
    await rooms.foreign.takeStray(stray);
  }
  return ids.length;
}
