import { MatrixError } from '../kernel/errors.ts';
import type { RoomServices } from '../rooms/module.ts';
import type { EventStore, PlacedEvent, RoomRow } from './store/events.ts';

export interface ServerAccessNeeds {
  store: Pick<EventStore, 'room' | 'event'>;
  rooms: Pick<RoomServices, 'servers' | 'serverAcls'>;
}

/** Which rooms a server may read. */
export interface ServerAccess {
  /** Whether a server has a joined user in the room, and the room's access rules let it take part. */
  mayRead(roomNid: number, origin: string): Promise<boolean>;
  /** The room, for a server that may read it. Throws M_FORBIDDEN, also for rooms not known here. */
  room(roomId: string, origin: string): Promise<RoomRow>;
  /** An event of the room. Throws M_NOT_FOUND for what is not known here. */
  event(room: RoomRow, eventId: string): Promise<PlacedEvent>;
}

const notInRoom = () => new MatrixError('M_FORBIDDEN', 'Host not in room.');

export function createServerAccess({ store, rooms }: ServerAccessNeeds): ServerAccess {
  const isJoined = (roomNid: number, origin: string) => rooms.servers.isJoined(roomNid, origin);
  return {
    mayRead: async (roomNid, origin) =>
      (await isJoined(roomNid, origin)) && rooms.serverAcls.allows(roomNid, origin),
    async room(roomId, origin) {
      const room = await store.room(roomId);
      // Those outside learn neither whether there is such a room nor what its access rules say.
      if (!room || !(await isJoined(room.roomNid, origin))) throw notInRoom();
      await rooms.serverAcls.check(room.roomNid, origin);
      return room;
    },
    async event({ roomNid }, eventId) {
      const event = await store.event(roomNid, eventId);
      if (!event) throw new MatrixError('M_NOT_FOUND', `Could not find event ${eventId}`);
      return event;
    },
  };
}
