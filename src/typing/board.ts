import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Bus } from '../streams/bus.ts';
import { typingStream } from './streams.ts';

/** Rooms whose typing users are remembered, also that there are none any more. */
const roomsMax = 50_000;

interface TypingRoom {
  roomId: string;
  userIds: readonly string[];
  pos: number;
}

const nobody: readonly string[] = [];

/** Who is typing, as the stream tells every process. */
export interface TypingBoard {
  usersIn(roomNid: number): readonly string[];
  /** Ephemeral position of the last change, if lately; else 0. */
  changedAt(roomNid: number): number;
  /** Rooms in which somebody types. */
  rooms(): { roomNid: number; roomId: string; userIds: readonly string[] }[];
}

export function createTypingBoard(bus: Bus): TypingBoard {
  const rooms = boundedCache<number, TypingRoom>(roomsMax);
  bus.subscribe(typingStream, (rows) => {
    for (const { pos, row } of rows) {
      rooms.set(row.roomNid, { roomId: row.roomId, userIds: row.userIds, pos });
    }
  });
  // That somebody stopped may be among what was missed; who still types is said again.
  bus.onMissed(() => {
    for (const [roomNid, room] of rooms.entries()) {
      if (room.userIds.length > 0) {
        rooms.set(roomNid, { ...room, userIds: nobody, pos: bus.nextEphemeral() });
      }
    }
  });
  return {
    usersIn: (roomNid) => rooms.peek(roomNid)?.userIds ?? nobody,
    changedAt: (roomNid) => rooms.peek(roomNid)?.pos ?? 0,
    rooms: () =>
      [...rooms.entries()]
        .filter(([, { userIds }]) => userIds.length > 0)
        .map(([roomNid, { roomId, userIds }]) => ({ roomNid, roomId, userIds })),
  };
}
