import type { Endpoint, EndpointContext, Requester } from '../http/endpoint.ts';
import type { RoomServices } from '../rooms/module.ts';
import { cannotReject, type NoticeSender } from './sender.ts';

type Context = EndpointContext<unknown, unknown, unknown, Requester | null>;

/** Whether a request takes its sender out of a room. */
function leaves({ operation }: Endpoint, context: Context): boolean {
  if (operation === 'leaveRoom' || operation === 'leaveRoomWithTxn') return true;
  if (operation !== 'setRoomStateWithKey') return false;
  const { eventType, stateKey } = context.params as Record<string, string>;
  const { membership } = context.body as { membership?: unknown };
  return (
    eventType === 'm.room.member' &&
    stateKey === context.requester!.userId &&
    membership === 'leave'
  );
}

const mayLeave = new Set(['leaveRoom', 'leaveRoomWithTxn', 'setRoomStateWithKey']);

/**
 * Keeps users from rejecting invites to their room of notices; who has joined may leave it.
 * Source: CS 1.19, "Server Notices".
 */
export function guardInvites(
  endpoints: readonly Endpoint[],
  sender: NoticeSender,
  access: RoomServices['access'],
): Endpoint[] {
  return endpoints.map((endpoint) => {
    if (!mayLeave.has(endpoint.operation)) return endpoint;
    return {
      ...endpoint,
      async handle(context) {
        if (leaves(endpoint, context)) {
          const { roomId } = context.params as { roomId: string };
          const own = await access.of(roomId, context.requester!.userNid);
          if (own?.membership === 'invite' && (await sender.isNoticeRoom(roomId))) {
            throw cannotReject();
          }
        }
        return endpoint.handle(context);
      },
    };
  });
}
