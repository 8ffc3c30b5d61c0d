import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { administered, readable, type CommunityServices } from '../access.ts';
import { roomsOf } from '../shown.ts';
import { deleteRoom, upsertRoom } from '../store/rooms.ts';

const declare = endpoint<CommunityServices>();
const runsOn = { group: 'main', balance: 'none' } as const;
const source = 'CS r0.2 draft, "Groups"';

const visibility = Type.Object({
  type: Type.Union([Type.Literal('public'), Type.Literal('private')]),
});
const isPublic = (wish: { type: 'public' | 'private' } | undefined) => wish?.type !== 'private';

const getRooms = declare({
  operation: 'getGroupRooms',
  method: 'GET',
  paths: clientPaths('/groups/:groupId/rooms'),
  auth: 'guest',
  runsOn,
  deprecated: true,
  summary: 'The rooms of a community',
  source,
  async handle({ params, requester }, services) {
    const chunk = await roomsOf(services, await readable(services, params['groupId']!, requester));
    return { chunk, total_room_count_estimate: chunk.length };
  },
});

const roomPaths = clientPaths('/groups/:groupId/admin/rooms/:roomId');
const notFound = () => new MatrixError('M_NOT_FOUND', 'This server does not know the room');

const addRoom = declare({
  operation: 'addGroupRoom',
  method: 'PUT',
  paths: roomPaths,
  auth: 'user',
  runsOn,
  deprecated: true,
  summary: 'Adds a room to a community',
  source,
  body: Type.Object({ 'm.visibility': Type.Optional(visibility) }),
  bodyMode: 'optional',
  async handle({ params, body, requester }, services) {
    const { groupId, roomId } = params;
    const { communityNid } = await administered(services, groupId!, requester);
    const wish = [communityNid, roomId!, isPublic(body['m.visibility'])] as const;
    if ((await services.database.query(upsertRoom, [...wish])).length === 0) throw notFound();
    return {};
  },
});

const configureRoom = declare({
  operation: 'configureGroupRoom',
  method: 'PUT',
  paths: clientPaths('/groups/:groupId/admin/rooms/:roomId/config/m.visibility'),
  auth: 'user',
  runsOn,
  deprecated: true,
  summary: 'Shows a room of a community to others than members, or no longer',
  source,
  body: visibility,
  async handle({ params, body, requester }, services) {
    const { groupId, roomId } = params;
    const { communityNid } = await administered(services, groupId!, requester);
    const wish = [communityNid, roomId!, isPublic(body)] as const;
    if ((await services.database.query(upsertRoom, [...wish])).length === 0) throw notFound();
    return {};
  },
});

const removeRoom = declare({
  operation: 'removeGroupRoom',
  method: 'DELETE',
  paths: roomPaths,
  auth: 'user',
  runsOn,
  deprecated: true,
  summary: 'Takes a room out of a community',
  source,
  bodyMode: 'optional',
  async handle({ params, requester }, services) {
    const { groupId, roomId } = params;
    const { communityNid } = await administered(services, groupId!, requester);
    await services.database.query(deleteRoom, [communityNid, roomId!]);
    return {};
  },
});

export const roomEndpoints = [getRooms, addRoom, configureRoom, removeRoom];
