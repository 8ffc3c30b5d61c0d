import { MatrixError } from '../kernel/errors.ts';
import type { KnownRoom, RoomServices } from '../rooms/module.ts';

/** Throws M_NOT_FOUND for a room that this server is not in, M_FORBIDDEN for a server shut out of it. */
export async function residentRoom(
  { members, foreign, serverAcls }: RoomServices,
  roomId: string,
  origin: string,
): Promise<KnownRoom> {
  const room = await members.room(roomId);
  if (!room || !(await foreign.isResident(room.roomNid))) {
    throw new MatrixError('M_NOT_FOUND', 'This server is not in the room');
  }
  await serverAcls.check(room.roomNid, origin);
  return { roomId, ...room };
}
