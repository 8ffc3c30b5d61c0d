import { MatrixError } from '../kernel/errors.ts';
import type { Clock } from '../kernel/clock.ts';
import type { BuiltEvent } from '../matrix/event-builder.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { TimelinePlace } from '../streams/position.ts';
import type { AccessStore } from './store/access.ts';
import type { HistoryStore, KnownBefore } from './store/history.ts';
import type { Interned } from './store/interned.ts';
import type { OutlierStore } from './store/outliers.ts';
import type { RoomWriter } from './writer/shared-writer.ts';
import { relationsItem } from './store/relations.ts';
import { redactsOf, storedEventOf } from './writer/take-in.ts';

/** A room as another server gives it to one that joins. Everything checked. */
export interface ForeignRoom {
  roomId: string;
  roomVersion: string;
  /** The state before the join. */
  state: readonly BuiltEvent[];
  /** Further events that those stand on. */
  authChain: readonly BuiltEvent[];
  join: BuiltEvent;
}

/** A membership of a local user in a room of other servers. */
export interface Stray {
  roomId: string;
  roomVersion: string;
  event: BuiltEvent;
  /** Stripped state; null: none. */
  strippedState: readonly JsonObject[] | null;
}

/** A piece of a room's history. Everything checked. */
export interface FetchedEvents {
  /** Oldest first. */
  events: readonly BuiltEvent[];
  /** Ids of events that come before those, and that are not known. */
  missing: readonly string[];
  /** What is known of the states before them. */
  before: readonly KnownBefore[];
}

/** An event without a place, and what the events that it names make of it. */
export interface JudgedEvent extends BuiltEvent {
  isRejected?: boolean;
}

/** Rooms that this server is not in, and comes into. */
export interface ForeignRooms {
  /** Whether a user of this server is joined to the room, so that its events come here. */
  isResident(roomNid: number): Promise<boolean>;
  /** Comes into a room. Throws M_UNSUPPORTED_ROOM_VERSION where the versions do not agree. */
  adopt(room: ForeignRoom): Promise<void>;
  /** Stores events of a room that is known, without their places. Everything checked, and judged. */
  keepOutliers(roomNid: number, events: readonly JudgedEvent[]): Promise<void>;
  /** Stores events and gives them their places just below a gap. */
  fillGap(roomNid: number, gap: TimelinePlace, fetched: FetchedEvents): Promise<void>;
  /**
   * Stores events and gives them their places below a gap, apart from what is above it. Whether there
   * was room for them.
   */
  startStretch(roomNid: number, gap: TimelinePlace, fetched: FetchedEvents): Promise<boolean>;
  /** Keeps an invite, a knock, or the end of either. */
  takeStray(stray: Stray): Promise<void>;
}

export interface ForeignRoomsNeeds {
  outliers: OutlierStore;
  interned: Interned;
  members: Pick<AccessStore, 'localMemberExcept'>;
  history: HistoryStore;
  clock: Clock;
  writer: Pick<RoomWriter, 'adopt' | 'takeStray'>;
}

/** Users and types of the events, members among them. */
function namesIn(events: readonly BuiltEvent[]) {
  const users = new Set<string>();
  const types = new Set<string>();
  for (const { pdu } of events) {
    users.add(pdu.sender);
    types.add(pdu.type);
    if (pdu.type === 'm.room.member' && pdu.state_key !== undefined) users.add(pdu.state_key);
  }
  return { users: [...users], types: [...types] };
}

/** Events that are stored at once; bounds what is in memory for a statement. */
const storedAtOnce = 1_000;

export function createForeignRooms(needs: ForeignRoomsNeeds): ForeignRooms {
  const { outliers, interned, members, history, clock, writer } = needs;

  async function roomNidOf(roomId: string, version: string): Promise<number> {
    const room = await outliers.ensureRoom(roomId, version, clock.now());
    if (room.roomVersion === version) return room.roomNid;
    if (await outliers.correctVersion(room.roomNid, version)) return room.roomNid;
    const message = `The room is of version ${room.roomVersion}, not ${version}`;
    throw new MatrixError('M_UNSUPPORTED_ROOM_VERSION', message);
  }

  async function storeOutliers(roomNid: number, events: readonly JudgedEvent[]): Promise<void> {
    for (let at = 0; at < events.length; at += storedAtOnce) {
      const some = events.slice(at, at + storedAtOnce);
      const { users, types } = namesIn(some);
      // oxlint-disable-next-line no-await-in-loop -- bounds memory
      await Promise.all([interned.users(users), interned.types(types)]);
      const rows = some.map(({ eventId, pdu, content, envelope, contentAt, isRejected }) => ({
        eventId,
        typeNid: interned.cachedType(pdu.type)!,
        stateKey: pdu.state_key ?? null,
        senderNid: interned.cachedUser(pdu.sender)!,
        originServerTs: pdu.origin_server_ts,
        depth: pdu.depth,
        content,
        envelope,
        contentAt,
        redacts: redactsOf(pdu),
        isRejected: isRejected ?? false,
      }));
      // oxlint-disable-next-line no-await-in-loop
      await outliers.insert(roomNid, rows);
    }
  }

  async function put(
    how: 'fill' | 'start',
    roomNid: number,
    gap: TimelinePlace,
    { events, missing, before }: FetchedEvents,
  ): Promise<boolean> {
    await storeOutliers(roomNid, events);
    await interned.types(before.map(({ type }) => type));
    const eventIds = events.map(({ eventId }) => eventId);
    const stored = events.map((event) => storedEventOf(roomNid, event, interned, null, null));
    const relations = relationsItem(stored);
    return (await history[how](roomNid, gap, { eventIds, missing, before, relations })) > 0;
  }

  return {
    isResident: async (roomNid) => (await members.localMemberExcept(roomNid, [])) !== null,
    async adopt({ roomId, roomVersion, state, authChain, join }) {
      const roomNid = await roomNidOf(roomId, roomVersion);
      await storeOutliers(roomNid, [...authChain, ...state]);
      const stateIds = state.map(({ eventId }) => eventId);
      await writer.adopt({ roomId, stateIds, event: join });
    },
    keepOutliers: storeOutliers,
    fillGap: async (...given) => void (await put('fill', ...given)),
    startStretch: (...given) => put('start', ...given),
    async takeStray({ roomId, roomVersion, event, strippedState }) {
      await roomNidOf(roomId, roomVersion);
      const state = strippedState === null ? null : JSON.stringify(strippedState);
      await writer.takeStray({ roomId, event, strippedState: state });
    },
  };
}
