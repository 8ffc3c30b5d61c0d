import { isKnownRoomVersion, roomVersion } from '../../matrix/room-versions.ts';
import type { SourceRow } from '../source/source.ts';
import { Replay, takeStrays, type ReplayNeeds, type RoomToImport } from './replay.ts';

/** Told of each room that is done: how many there are, and how many of them are done. */
export type RoomProgress = (done: number, all: number, events: number) => void;

// Old rooms have no version in the table, and none in their create event: they are of version 1.
const roomsInOrder = `
  select r.room_id, r.room_version, n.newest
  from rooms r
    left join (select room_id, max(stream_ordering) as newest, max(origin_server_ts) as newest_ts
      from events where not outlier group by room_id) n on n.room_id = r.room_id
  order by coalesce(n.newest, 0), r.room_id`;

/** The room, when this server can have it. */
function roomOf(row: SourceRow, note: ReplayNeeds['note']): RoomToImport | null {
  const roomId = row['room_id'] as string;
  const id = (row['room_version'] as string | null) ?? '1';
  if (isKnownRoomVersion(id)) return { roomId, version: roomVersion(id) };
  note(`${roomId} is left out: room version ${id} is not known`);
  return null;
}

/** Takes over all rooms: those in which something happened last come last, as clients sort them. */
export async function importRooms(needs: ReplayNeeds, progress: RoomProgress): Promise<number> {
  const { source, rooms } = needs;
  const found = await source.rows(roomsInOrder);
  let events = 0;
  for (const [i, row] of found.entries()) {
    const room = roomOf(row, needs.note);
    if (room) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other, in order
      const { roomNid } = await rooms.outliers.ensureRoom(room.roomId, room.version.id, Date.now());
      // oxlint-disable-next-line no-await-in-loop
      const count = await new Replay(needs, room, roomNid).run();
      // oxlint-disable-next-line no-await-in-loop
      if (count === 0) await takeStrays(needs, room);
      events += count;
    }
    progress(i + 1, found.length, events);
  }
  return found.length;
}
