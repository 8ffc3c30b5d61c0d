import { Type, type Static } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { isServerName, isUserId } from '../../matrix/ids.ts';
import type { JsonObject } from '../../matrix/pdu.ts';
import { takeLimit } from '../limits.ts';
import { locateEntrance } from '../locate-room.ts';
import * as membership from '../membership.ts';
import type { ThreepidInvite } from '../needs.ts';
import type { RoomServices } from '../services.ts';
import { reasonBody, targetBody } from './parts.ts';

const declare = endpoint<RoomServices>();
const runsOn = { group: 'event_sending', balance: 'room' } as const;

/** Each membership request has an older form with a transaction id, which is idempotent anyway. */
const roomPaths = (action: string) => clientPaths(`/rooms/:roomId/${action}`);
const txnPaths = (action: string) => clientPaths(`/rooms/:roomId/${action}/:txnId`);

/** Servers that may be in the room; `server_name` before version 1.12 of the specification. */
const viaQuery = Type.Object({
  via: Type.Optional(Type.Array(Type.String())),
  server_name: Type.Optional(Type.Array(Type.String())),
});
const serversIn = ({ via, server_name: names }: Static<typeof viaQuery>): string[] =>
  [...(via ?? names ?? [])].filter(isServerName);

const joinBody = Type.Object({
  reason: Type.Optional(Type.String()),
  third_party_signed: Type.Optional(Type.Record(Type.String(), Type.Any())),
});

/** What else the client sends becomes part of its member event. */
function joinContent(body: { third_party_signed?: object }): JsonObject {
  const { third_party_signed: signed, ...content } = body;
  if (signed === undefined) return content;
  return { ...content, third_party_invite: { signed: signed as JsonObject } };
}

const joinRoomById = (['POST', 'PUT'] as const).map((method) =>
  declare({
    operation: method === 'POST' ? 'joinRoomById' : 'joinRoomByIdWithTxn',
    refusesSuspended: true,
    method,
    paths: method === 'POST' ? roomPaths('join') : txnPaths('join'),
    auth: 'guest',
    rateLimit: 'join',
    runsOn,
    summary: 'Joins a room of this server by its id',
    source: 'CS 1.19, joinRoomById',
    deprecated: method === 'PUT',
    body: joinBody,
    bodyMode: 'optional',
    errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_LIMIT_EXCEEDED'],
    async handle({ params, body, requester }, services) {
      const roomId = params['roomId']!;
      await membership.join(services, requester, roomId, joinContent(body));
      return { room_id: roomId };
    },
  }),
);

const joinRoom = (['POST', 'PUT'] as const).map((method) =>
  declare({
    operation: method === 'POST' ? 'joinRoom' : 'joinRoomWithTxn',
    refusesSuspended: true,
    method,
    paths: clientPaths(method === 'POST' ? '/join/:roomIdOrAlias' : '/join/:roomIdOrAlias/:txnId'),
    auth: 'guest',
    rateLimit: 'join',
    runsOn,
    summary: 'Joins a room by its id or alias',
    source: 'CS 1.19, joinRoom',
    deprecated: method === 'PUT',
    query: viaQuery,
    body: joinBody,
    bodyMode: 'optional',
    errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_LIMIT_EXCEEDED'],
    async handle({ params, query, body, requester }, services) {
      const named = serversIn(query);
      const { roomId, servers } = await locateEntrance(services, params['roomIdOrAlias']!, named);
      await membership.join(services, requester, roomId, joinContent(body), { servers });
      return { room_id: roomId };
    },
  }),
);

const knockRoom = declare({
  operation: 'knockRoom',
  refusesSuspended: true,
  method: 'POST',
  paths: clientPaths('/knock/:roomIdOrAlias'),
  auth: 'user',
  rateLimit: 'join',
  runsOn,
  summary: 'Asks to be let into a room',
  source: 'CS 1.19, knockRoom',
  query: viaQuery,
  body: reasonBody,
  bodyMode: 'optional',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_LIMIT_EXCEEDED'],
  async handle({ params, query, body, requester }, services) {
    const named = serversIn(query);
    const { roomId, servers } = await locateEntrance(services, params['roomIdOrAlias']!, named);
    await membership.knock(services, requester, roomId, body.reason, servers);
    return { room_id: roomId };
  },
});

const leaveRoom = (['POST', 'PUT'] as const).map((method) =>
  declare({
    operation: method === 'POST' ? 'leaveRoom' : 'leaveRoomWithTxn',
    method,
    paths: method === 'POST' ? roomPaths('leave') : txnPaths('leave'),
    auth: 'guest',
    runsOn,
    summary: 'Leaves a room, rejects an invite or takes back a knock',
    source: 'CS 1.19, leaveRoom',
    deprecated: method === 'PUT',
    body: reasonBody,
    bodyMode: 'optional',
    errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
    async handle({ params, body, requester }, services) {
      await membership.leave(services, requester, params['roomId']!, body.reason);
      return {};
    },
  }),
);

const forgetRoom = declare({
  operation: 'forgetRoom',
  method: 'POST',
  paths: roomPaths('forget'),
  auth: 'guest',
  runsOn,
  summary: 'No longer shows a room that the user has left',
  source: 'CS 1.19, forgetRoom',
  bodyMode: 'optional',
  async handle({ params, requester }, services) {
    await membership.forget(services, requester, params['roomId']!);
    return {};
  },
});

function checkTarget(userId: string): void {
  if (!isUserId(userId)) throw new MatrixError('M_INVALID_PARAM', `Invalid user id: ${userId}`);
}

const inviteBody = Type.Object({
  user_id: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
  medium: Type.Optional(Type.String()),
  address: Type.Optional(Type.String()),
  id_server: Type.Optional(Type.String()),
  id_access_token: Type.Optional(Type.String()),
});
type InviteBody = Static<typeof inviteBody>;

/** An invite by address. Throws M_MISSING_PARAM. */
function threepidInviteIn(body: InviteBody): ThreepidInvite {
  const { medium, address, id_server: idServer, id_access_token: idAccessToken, reason } = body;
  if (medium === undefined || address === undefined || idServer === undefined) {
    throw new MatrixError('M_MISSING_PARAM', "Missing param 'user_id'");
  }
  if (idAccessToken === undefined) {
    throw new MatrixError(
      'M_MISSING_PARAM',
      '`id_access_token` is required when doing 3pid invite',
    );
  }
  return { medium, address, idServer, idAccessToken, reason };
}

const inviteUser = (['POST', 'PUT'] as const).map((method) =>
  declare({
    operation: method === 'POST' ? 'inviteUser' : 'inviteUserWithTxn',
    refusesSuspended: true,
    method,
    paths: method === 'POST' ? roomPaths('invite') : txnPaths('invite'),
    auth: 'user',
    rateLimit: 'invite',
    runsOn,
    summary: 'Invites a user to a room',
    source: 'CS 1.19, inviteUser',
    deprecated: method === 'PUT',
    body: inviteBody,
    errors: [
      'M_FORBIDDEN',
      'M_INVALID_PARAM',
      'M_MISSING_PARAM',
      'M_LIMIT_EXCEEDED',
      'M_INVITE_BLOCKED',
    ],
    async handle({ params, body, requester }, services) {
      if (body.user_id === undefined) {
        await services.inviteByThreepid(requester, params['roomId']!, threepidInviteIn(body));
        return {};
      }
      checkTarget(body.user_id);
      const { user_id: target, reason } = body;
      takeLimit(services, requester, 'invite_room', params['roomId']!);
      takeLimit(services, requester, 'invite_user', target);
      await membership.invite(services, requester, params['roomId']!, target, { reason });
      return {};
    },
  }),
);

const moderation = (['kick', 'ban', 'unban'] as const).flatMap((action) =>
  (['POST', 'PUT'] as const).map((method) =>
    declare({
      operation: method === 'POST' ? action : `${action}WithTxn`,
      refusesSuspended: true,
      method,
      paths: method === 'POST' ? roomPaths(action) : txnPaths(action),
      auth: 'user',
      runsOn,
      summary: `The moderation action ${action} on a user of a room`,
      source: `CS 1.19, ${action}`,
      deprecated: method === 'PUT',
      body: targetBody,
      errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
      async handle({ params, body, requester }, services) {
        checkTarget(body.user_id);
        await membership[action](services, requester, params['roomId']!, body.user_id, body.reason);
        return {};
      },
    }),
  ),
);

const getJoinedRooms = declare({
  operation: 'getJoinedRooms',
  method: 'GET',
  paths: clientPaths('/joined_rooms'),
  auth: 'guest',
  runsOn: { group: 'client', balance: 'none' },
  summary: 'The rooms the user is joined to',
  source: 'CS 1.19, getJoinedRooms',
  handle: async ({ requester }, services) => ({
    joined_rooms: await services.members.roomsOf(requester.userNid, 'join'),
  }),
});

export const membershipEndpoints = [
  ...joinRoomById,
  ...joinRoom,
  knockRoom,
  ...leaveRoom,
  forgetRoom,
  ...inviteUser,
  ...moderation,
  getJoinedRooms,
];
