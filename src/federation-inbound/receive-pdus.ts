import { MatrixError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { BuiltEvent } from '../matrix/event-builder.ts';
import { isRoomId, serverNameOf } from '../matrix/ids.ts';
import { referencedIds, type JsonObject, type Pdu } from '../matrix/pdu.ts';
import { checkRead, readEvent, type FindServerKey } from '../matrix/received-pdu.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import type { KnownRoom, ReceivedEvent, RoomServices } from '../rooms/module.ts';
import type { InboundMetrics } from './inbound-metrics.ts';
import type { MissingEvents } from './missing-events.ts';

export interface ReceivePdusNeeds {
  serverName: string;
  findKey: FindServerKey;
  rooms: () => RoomServices;
  missing: MissingEvents;
  metrics: Pick<InboundMetrics, 'softFailed'>;
  log: Log;
}

/** What became of each event, by its id: nothing to say, or what is wrong. */
export type PduResults = Record<string, { error?: string }>;

export interface Receiving {
  /** Gives what became of each event. Rooms that are not known here are passed over. */
  receivePdus(origin: string, given: readonly JsonObject[]): Promise<PduResults>;
  /** Receives one event that has been checked, of a room that this server is in. */
  receive(origin: string, room: KnownRoom, event: BuiltEvent): Promise<ReceivedEvent>;
}

/** Receives the events that a server gives; what is missing before them is asked of it. */
export function createReceiving(needs: ReceivePdusNeeds): Receiving {
  const { serverName, findKey, missing, metrics, log } = needs;
  /** Gaps of one room are filled one after the other. */
  const filling = new Map<string, Promise<void>>();

  async function inTurn<T>(roomId: string, work: () => Promise<T>): Promise<T> {
    const before = filling.get(roomId);
    const { promise: turn, resolve: end } = Promise.withResolvers<void>();
    filling.set(roomId, turn);
    try {
      await before;
      return await work();
    } finally {
      if (filling.get(roomId) === turn) filling.delete(roomId);
      end();
    }
  }

  async function whole(
    origin: string,
    room: KnownRoom,
    event: BuiltEvent,
    received: ReceivedEvent,
  ): Promise<ReceivedEvent> {
    if (received.outcome !== 'missing') return received;
    const { roomId } = room;
    return inTurn(roomId, async () => {
      // Whoever was before may have brought what is missing.
      const [again] = await needs.rooms().writer.receive({ roomId, events: [event] });
      if (again!.outcome !== 'missing') return again!;
      return missing.receive(origin, room, event, again!);
    });
  }

  /**
   * In a room that this server is not in, only the end of a local user's invite or knock counts. Who may
   * remove members there is not known: an invite is ended by whoever has sent it, and both only by an
   * event that builds on them.
   */
  async function receiveStray(room: KnownRoom, event: BuiltEvent): Promise<void> {
    const { type, sender, state_key: userId, content, auth_events: authEvents } = event.pdu;
    const isEnd = content['membership'] === 'leave' || content['membership'] === 'ban';
    if (type !== 'm.room.member' || userId === undefined || !isEnd) return;
    if (serverNameOf(userId) !== serverName) return;
    const { members, foreign } = needs.rooms();
    const ended = await members.memberEvent(room.roomNid, userId);
    if (ended === null || !referencedIds(authEvents).includes(ended.eventId)) return;
    const isTakenBack = ended.membership === 'invite' && ended.sender === sender;
    if (!isTakenBack && ended.membership !== 'knock') return;
    await foreign.takeStray({ ...room, event, strippedState: null });
  }

  async function receiveInRoom(
    origin: string,
    room: KnownRoom & { isResident: boolean },
    pdus: readonly Pdu[],
  ): Promise<PduResults> {
    const { serverAcls, writer } = needs.rooms();
    const version = roomVersion(room.roomVersion);
    const results: PduResults = {};
    const wellFormed = pdus
      .map((pdu) => readEvent(version, pdu))
      .filter((read) => typeof read !== 'string');
    if (!(await serverAcls.allows(room.roomNid, origin))) {
      const error = 'Your server may not take part in this room';
      for (const { eventId } of wellFormed) results[eventId] = { error };
      return results;
    }
    const checked = await Promise.all(
      wellFormed.map((read) => checkRead(version, room.roomId, read, findKey)),
    );
    const events: BuiltEvent[] = [];
    checked.forEach((event, i) => {
      if (typeof event === 'string') results[wellFormed[i]!.eventId] = { error: event };
      else events.push(event);
    });
    if (!room.isResident) {
      for (const event of events) {
        // oxlint-disable-next-line no-await-in-loop -- one at most means something here
        await receiveStray(room, event);
        results[event.eventId] = {};
      }
      return results;
    }
    if (events.length === 0) return results;
    const received = await writer.receive({ roomId: room.roomId, events });
    for (const [i, first] of received.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- each may build on the one before
      const { eventId, outcome, reason } = await whole(origin, room, events[i]!, first);
      if (outcome === 'soft_failed') metrics.softFailed();
      results[eventId] = outcome === 'rejected' ? { error: reason ?? 'rejected' } : {};
      // Nothing is wrong with it; it is asked for when something follows it that can be taken in.
      if (outcome !== 'missing') continue;
      log.info({ origin, roomId: room.roomId, eventId }, 'what an event follows is not to be had');
    }
    return results;
  }

  async function receivePdus(origin: string, given: readonly JsonObject[]): Promise<PduResults> {
    const byRoom = Map.groupBy(given as unknown as Pdu[], (pdu) => pdu.room_id);
    const ids = [...byRoom.keys()].filter(
      (id) => typeof id === 'string' && isRoomId(id),
    ) as string[];
    if (ids.length === 0) return {};
    const rooms = await needs.rooms().members.receivingRooms(ids);
    const parts = await Promise.all(
      rooms.map(async (room): Promise<PduResults> => {
        const { roomId } = room;
        try {
          return await receiveInRoom(origin, room, byRoom.get(roomId)!);
        } catch (error) {
          // The others' events are not lost for it; the origin sends these again.
          if (error instanceof MatrixError && error.code === 'M_NOT_FOUND') return {};
          log.warn({ err: error, origin, roomId }, 'events of another server were not received');
          throw error;
        }
      }),
    );
    return Object.assign({}, ...parts) as PduResults;
  }

  return {
    receivePdus,
    async receive(origin, room, event) {
      const { writer } = needs.rooms();
      const [first] = await writer.receive({ roomId: room.roomId, events: [event] });
      return whole(origin, room, event, first!);
    },
  };
}
