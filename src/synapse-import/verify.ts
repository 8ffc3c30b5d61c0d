import { isKnownRoomVersion } from '../matrix/room-versions.ts';
import type { RoomImporter } from '../rooms/module.ts';
import { pagesOf } from './source/pages.ts';
import type { SynapseSource } from './source/source.ts';

export interface Verification {
  rooms: number;
  /** Rooms whose current state is not what Synapse has: of each a line. */
  differences: string[];
}

/** Rooms are compared one after the other; of a large one its entries are in memory. */
export async function verifyRooms(
  source: SynapseSource,
  rooms: RoomImporter,
): Promise<Verification> {
  const differences: string[] = [];
  let count = 0;
  const reading = {
    columns: 'room_id, room_version',
    from: 'rooms',
    where: 'exists (select 1 from current_state_events c where c.room_id = rooms.room_id)',
    key: ['room_id'],
  };
  for await (const page of pagesOf(source, reading)) {
    for (const row of page) {
      const roomId = row['room_id'] as string;
      const version = (row['room_version'] as string | null) ?? '1';
      if (!isKnownRoomVersion(version)) continue;
      count++;
      const { roomNid } = await rooms.outliers.ensureRoom(roomId, version, Date.now());
      const [theirs, ours] = await Promise.all([
        source.rows('select event_id from current_state_events where room_id = $1', [roomId]),
        rooms.outliers.currentEntries(roomNid),
      ]);
      const wanted = new Set(theirs.map((row) => row['event_id'] as string));
      const missing = ours.filter(({ eventId }) => !wanted.delete(eventId)).length;
      if (wanted.size + missing === 0) continue;
      differences.push(
        `${roomId}: the current state differs: ${wanted.size} entries are missing, ${missing} are others`,
      );
    }
  }
  return { rooms: count, differences };
}
