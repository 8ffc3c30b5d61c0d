import { MatrixError } from '../kernel/errors.ts';
import type { RoomServices } from '../rooms/module.ts';

/** A room that this server is in, as another server asks for it. */
export interface ResidentRoom {
  roomId: string;
  roomNid: number;
  roomVersion: string;
}

/** Throws M_NOT_FOUND for a room that this server is not in, M_FORBIDDEN for a server shut out of it. */
export async function residentRoom(
  { members, foreign, serverAcls }: RoomServices,
  roomId: string,
  origin: string,
): Promise<ResidentRoom> {
  const room = await members.room(roomId);
  if (!room || !(await foreign.isResident(room.roomNid))) {
    throw new MatrixError('M_NOT_FOUND', 'This server is not in the room');
  }
  await serverAcls.check(room.roomNid, origin);
  return { roomId, ...room };
}
