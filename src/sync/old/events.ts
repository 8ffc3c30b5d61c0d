import type { Caller } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { clientEventJson, visibilityFor, type StoredEvent } from '../../rooms/module.ts';
import { positionOf } from '../../streams/bus.ts';
import { formatPosition, type StreamPosition } from '../../streams/position.ts';
import type { SyncReader } from '../engine.ts';
import type { TimelineStore } from '../store/timelines.ts';
import type { UserView } from '../views/user-view.ts';
import { waitForNews } from '../wait.ts';
import type { OldSyncNeeds } from './initial-sync.ts';
import { createPeekedRooms, type PeekedRoom } from './peeked-rooms.ts';

export interface EventsRequest {
  reader: SyncReader;
  /** Only this room, in which the user need not be when it may be looked into; null: all joined rooms. */
  roomId: string | null;
  /** Null: from now on. */
  from: StreamPosition | null;
  timeoutMs: number;
  caller: Caller;
}

/** Events of one room in an answer; older ones are skipped. */
const eventsPerRoomMax = 100;

interface Found {
  roomId: string;
  event: StoredEvent;
}

/** Somebody who listens, and to what. */
interface Listening {
  user: UserView;
  /** As in EventsRequest. */
  roomId: string | null;
  /** Set for a room that the user is not in. */
  peeked: PeekedRoom | null;
}

/**
 * The event stream of before `/sync`: new events of all joined rooms, or of one room, in one list.
 * Source: client-server spec, `GET /events`, "Room previews".
 */
export function createOldEvents(needs: OldSyncNeeds, timelines: TimelineStore) {
  const { bus, views, clock, sources } = needs;
  const peekedRooms = createPeekedRooms(bus);

  const roomsOf = ({ user, roomId }: Listening) =>
    [...user.rooms.values()].filter((room) => roomId === null || room.roomId === roomId);

  /** What a user may see of a room without being in it. */
  async function peek(
    { roomNid }: PeekedRoom,
    { roomId, user }: Listening,
    from: StreamPosition,
    upto: StreamPosition,
  ): Promise<Found[]> {
    const range = { roomNid, afterPos: from.durable, uptoPos: upto.durable };
    const [events, history] = await Promise.all([
      timelines.timelines([range], eventsPerRoomMax, null),
      timelines.histories([roomNid], user.userId),
    ]);
    const visibility = visibilityFor(user.userId, history);
    return events
      .filter((event) => visibility.allows(event))
      .map((event) => ({ roomId: roomId!, event }));
  }

  async function newEvents(
    listening: Listening,
    from: StreamPosition,
    upto: StreamPosition,
  ): Promise<Found[]> {
    const { user, peeked } = listening;
    if (peeked) return peek(peeked, listening, from, upto);
    const found: Found[] = [];
    const missing: { roomNid: number; afterPos: number; uptoPos: number }[] = [];
    for (const { view, roomNid, roomId, pos } of roomsOf(listening)) {
      const events = view ? view.eventsAfter(from.durable) : pos > from.durable ? null : [];
      const uptoPos = view ? upto.durable : pos;
      if (events === null) missing.push({ roomNid, afterPos: from.durable, uptoPos });
      else for (const event of events) found.push({ roomId, event });
    }
    if (missing.length > 0) {
      for (const event of await timelines.timelines(missing, eventsPerRoomMax, null)) {
        found.push({ roomId: user.rooms.get(event.roomNid)!.roomId, event });
      }
    }
    return found.toSorted((a, b) => a.event.pos! - b.event.pos!);
  }

  function typingJson(listening: Listening, from: StreamPosition): string[] {
    const texts: string[] = [];
    for (const { view, roomId, roomNid } of roomsOf(listening)) {
      if (!view || view.typingPos <= from.ephemeral) continue;
      const userIds = JSON.stringify(needs.sources.typing.usersIn(roomNid));
      texts.push(
        `{"type":"m.typing","room_id":${JSON.stringify(roomId)},"content":{"user_ids":${userIds}}}`,
      );
    }
    return texts;
  }

  /** Throws M_FORBIDDEN. */
  async function listen(user: UserView, { reader, roomId }: EventsRequest): Promise<Listening> {
    const isIn = [...user.rooms.values()].some(
      (room) => room.roomId === roomId && room.membership === 'join',
    );
    if (roomId === null || isIn) return { user, roomId, peeked: null };
    const room = await sources.worldReadable(roomId, reader);
    if (!room) throw new MatrixError('M_FORBIDDEN', 'You are not in the room and may not look in');
    return { user, roomId, peeked: peekedRooms.acquire(room.roomNid) };
  }

  return async function events(request: EventsRequest): Promise<string> {
    const { reader, caller } = request;
    if (request.timeoutMs === 0) await bus.caughtUp();
    const user = await views.acquire(reader.userNid, reader.userId);
    let peeked: PeekedRoom | null = null;
    try {
      const ignored = await sources.accountData.ignoredUsers(reader.userNid);
      const listening = await listen(user, request);
      ({ peeked } = listening);
      const isWanted = ({ event }: Found) => event.stateKey !== null || !ignored.has(event.sender);
      const untilMs = Date.now() + request.timeoutMs;
      const from = request.from ?? positionOf(bus);
      for (;;) {
        const upto = positionOf(bus);
        // oxlint-disable-next-line no-await-in-loop
        const found = await newEvents(listening, from, upto);
        const texts = found.filter(isWanted).map(({ roomId, event }) =>
          clientEventJson(event, {
            roomId,
            now: clock.now(),
            senderNid: reader.userNid,
            deviceNid: reader.deviceNid,
          }),
        );
        texts.push(...typingJson(listening, from));
        const isBehind = bus.position() > upto.durable;
        if (
          texts.length > 0 ||
          // oxlint-disable-next-line no-await-in-loop
          (!isBehind && !(await waitForNews({ user, device: peeked }, untilMs, caller)))
        ) {
          return `{"start":"${formatPosition(from)}","end":"${formatPosition(upto)}","chunk":[${texts.join(',')}]}`;
        }
      }
    } finally {
      if (peeked) peekedRooms.release(peeked);
      views.release(user);
    }
  };
}

export type OldEvents = ReturnType<typeof createOldEvents>;
