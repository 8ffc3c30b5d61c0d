import { roomVersion } from '../matrix/room-versions.ts';
import type { AuthChainStore, ChainRow } from './store/auth-chains.ts';
import type { RoomRow } from './store/events.ts';

/** Auth chains of events (server-server spec, "Auth chain"). */
export interface AuthChains {
  /**
   * The events with these numbers and their full auth chain, each once, in the order in which they
   * came here. The first question about a room's events makes them quick to find for later ones.
   */
  of(room: RoomRow, eventNids: readonly number[]): Promise<readonly ChainRow[]>;
}

/** The event from which a room has its id; null: its events name it. */
export function createIdOf({ roomId, roomVersion: version }: RoomRow): string | null {
  return roomVersion(version).roomIdIsCreateHash ? `$${roomId.slice(1)}` : null;
}

export function createAuthChains(store: AuthChainStore): AuthChains {
  return {
    async of(room, eventNids) {
      if (eventNids.length === 0) return [];
      const createId = createIdOf(room);
      const rows = await store.chain(room.roomNid, eventNids, createId);
      const isNew = rows.filter(({ isIndexed }) => !isIndexed).map(({ eventNid }) => eventNid);
      if (isNew.length > 0) await store.index(room.roomNid, isNew, createId);
      return rows;
    },
  };
}
