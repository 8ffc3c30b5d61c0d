import { eventStream } from '../../rooms/module.ts';
import type { Bus } from '../../streams/bus.ts';

/** A room that is looked into by those who are not in it. */
export interface PeekedRoom {
  readonly roomNid: number;
  /** Long polls to be woken. */
  readonly waiters: Set<() => void>;
}

/** The rooms that are looked into. As many as there are requests at most. */
export interface PeekedRooms {
  /** Call `release` when done with it. */
  acquire(roomNid: number): PeekedRoom;
  release(room: PeekedRoom): void;
}

export function createPeekedRooms(bus: Bus): PeekedRooms {
  const rooms = new Map<number, { room: PeekedRoom; users: number }>();
  const toWake = new Set<PeekedRoom>();

  bus.subscribe(eventStream, (rows) => {
    if (rooms.size === 0) return;
    for (const { row } of rows) {
      const entry = rooms.get(row.event.roomNid);
      if (entry) toWake.add(entry.room);
    }
  });
  bus.afterRows(() => {
    for (const { waiters } of toWake) for (const waiter of waiters) waiter();
    toWake.clear();
  });

  return {
    acquire(roomNid) {
      const entry = rooms.get(roomNid) ?? { room: { roomNid, waiters: new Set() }, users: 0 };
      entry.users++;
      rooms.set(roomNid, entry);
      return entry.room;
    },
    release({ roomNid }) {
      const entry = rooms.get(roomNid)!;
      if (--entry.users === 0) rooms.delete(roomNid);
    },
  };
}
