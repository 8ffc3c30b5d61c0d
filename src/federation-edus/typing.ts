import { isRoomId } from '../matrix/ids.ts';
import type { Typing } from '../typing/module.ts';
import { typingMs } from './limits.ts';
import { ownUserIn, type EduHandler } from './reading.ts';
import type { JoinedUsers } from './rooms-of-users.ts';

/** `m.typing`: a user of another server types in a room, or no longer. */
export function createTypingHandler(
  joinedUsers: JoinedUsers,
  receive: Typing['receive'],
): EduHandler {
  return async (origin, { room_id: roomId, user_id: user, typing }) => {
    const userId = ownUserIn(user, origin);
    const isRoom = typeof roomId === 'string' && isRoomId(roomId);
    if (userId === null || !isRoom || typeof typing !== 'boolean') return;
    const [joined] = await joinedUsers(origin, [{ roomId, userId }]);
    if (!joined) return;
    const { roomNid } = joined;
    await receive({ roomNid, roomId, userId }, typing ? typingMs : null);
  };
}
