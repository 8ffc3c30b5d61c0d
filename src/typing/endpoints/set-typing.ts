import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { RoomAccess } from '../../rooms/module.ts';
import type { TypingUser } from '../typists.ts';

/** How long a user types when the client does not say. */
const typingMsDefault = 30_000;

/** Who has done something, and with which device. */
export interface ActiveUser {
  userId: string;
  userNid: number;
  deviceId: string | null;
}

/** What typing asks of other domains. */
export interface TypingSurroundings {
  /** Throws M_FORBIDDEN unless the user is joined: `RoomServices.access`. */
  rooms: { joined(roomId: string, user: { userId: string; userNid: number }): Promise<RoomAccess> };
  /** The user has done something: presence takes note. */
  noteActivity: (user: ActiveUser) => void;
  start(user: TypingUser, timeoutMs: number): Promise<void>;
  end(user: Omit<TypingUser, 'isLocal'>): Promise<void>;
}

export const setTyping = endpoint<TypingSurroundings>()({
  operation: 'setTyping',
  method: 'PUT',
  paths: clientPaths('/rooms/:roomId/typing/:userId'),
  auth: 'guest',
  runsOn: { group: 'typing', balance: 'room' },
  summary: 'Tells the others in a room that the user is typing, or no longer',
  source: 'CS 1.19, setTyping',
  params: Type.Object({ roomId: Type.String(), userId: Type.String() }),
  body: Type.Object({ typing: Type.Boolean(), timeout: Type.Optional(Type.Number()) }),
  answers: { 200: Type.Object({}) },
  errors: ['M_FORBIDDEN', 'M_BAD_JSON'],
  async handle({ params, body, requester }, { rooms, start, end, noteActivity }) {
    const { userId } = requester;
    if (params.userId !== userId) {
      throw new MatrixError('M_FORBIDDEN', 'only oneself can be said to be typing');
    }
    const { roomNid, roomId } = await rooms.joined(params.roomId, requester);
    noteActivity(requester);
    if (requester.isShadowBanned) return {};
    const user = { roomNid, roomId, userId, isLocal: true };
    if (body.typing) await start(user, body.timeout ?? typingMsDefault);
    else await end(user);
    return {};
  },
});
