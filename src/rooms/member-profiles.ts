import { MatrixError } from '../kernel/errors.ts';
import { memberContent } from './member-content.ts';
import type { RoomServices } from './services.ts';

/**
 * Shows a user's new profile in all rooms the user is joined to. The rooms share transactions, so
 * that the cost of a room is that of its event. Rooms whose rules refuse the change keep the old
 * profile.
 */
export async function updateMemberProfiles(
  services: RoomServices,
  user: { userId: string; userNid: number },
): Promise<void> {
  const [rooms, content] = await Promise.all([
    services.members.roomsOf(user.userNid, 'join'),
    memberContent(services.profiles, user.userId, 'join'),
  ]);
  const { userId } = user;
  const append = async (roomId: string) => {
    const event = { sender: userId, type: 'm.room.member', stateKey: userId, content };
    const expect = { userId, memberships: ['join'], otherwise: 'no longer joined' };
    try {
      await services.writer.append({
        roomId,
        events: [event],
        expect,
        skipUnchangedState: true,
      });
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
    }
  };
  await Promise.all(rooms.map(append));
}
