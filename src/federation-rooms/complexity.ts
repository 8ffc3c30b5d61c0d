import { MatrixError } from '../kernel/errors.ts';
import { contentOf, type RoomServices, type StoredEvent } from '../rooms/module.ts';

export interface ComplexityNeeds {
  rooms: Pick<RoomServices, 'members' | 'states' | 'foreign' | 'serverAcls'>;
}

/**
 * How much of an effort it is to be in a room, by the version of the measure. `v1`: entries of its current
 * state, in units of 500. Source: Synapse, `limit_remote_rooms`.
 */
export interface Complexity {
  v1: number;
}

const entriesPerUnit = 500;

const notFound = () => new MatrixError('M_NOT_FOUND', 'Room not found');

function isOpen(entries: readonly StoredEvent[]): boolean {
  const said = (type: string, name: string) => {
    const entry = entries.find((one) => one.type === type);
    return entry && contentOf(entry)[name];
  };
  return (
    said('m.room.join_rules', 'join_rule') === 'public' ||
    said('m.room.history_visibility', 'history_visibility') === 'world_readable'
  );
}

export function createComplexity({ rooms }: ComplexityNeeds) {
  const { members, states, foreign, serverAcls } = rooms;

  async function of(roomNid: number): Promise<Complexity> {
    const entries = await states.size(roomNid);
    return { v1: Math.round((entries / entriesPerUnit) * 100) / 100 };
  }

  return {
    of,
    /**
     * For a server that thinks of joining: of rooms that everybody may join or read. Throws M_NOT_FOUND, also
     * for rooms that this server is not in, M_FORBIDDEN.
     */
    async forServer(roomId: string, origin: string): Promise<Complexity> {
      const room = await members.room(roomId);
      if (!room || !(await foreign.isResident(room.roomNid))) throw notFound();
      const entries = await states.entries(room.roomNid, [
        ['m.room.join_rules', ''],
        ['m.room.history_visibility', ''],
      ]);
      if (!isOpen(entries)) throw notFound();
      await serverAcls.check(room.roomNid, origin);
      return of(room.roomNid);
    },
  };
}
