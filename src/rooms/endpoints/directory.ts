import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { isRoomAlias, serverNameOf } from '../../matrix/ids.ts';
import * as aliases from '../alias-directory.ts';
import { locateAlias } from '../locate-room.ts';
import type { RoomServices } from '../services.ts';

const declare = endpoint<RoomServices>();
const runsOn = { group: 'client', balance: 'none' } as const;

function checkedAlias(alias: string): string {
  if (!isRoomAlias(alias)) {
    throw new MatrixError('M_INVALID_PARAM', `Room alias ${alias} was not legal`);
  }
  return alias;
}

const aliasPaths = clientPaths('/directory/room/:roomAlias');

const getRoomIdByAlias = declare({
  operation: 'getRoomIdByAlias',
  method: 'GET',
  paths: aliasPaths,
  auth: 'none',
  runsOn,
  summary: 'The room an alias stands for',
  source: 'CS 1.19, getRoomIdByAlias',
  errors: ['M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params }, services) {
    const alias = checkedAlias(params['roomAlias']!);
    const { roomId, servers } = await locateAlias(services, alias);
    return { room_id: roomId, servers };
  },
});

const setRoomAlias = declare({
  operation: 'setRoomAlias',
  method: 'PUT',
  paths: aliasPaths,
  auth: 'user',
  runsOn,
  summary: 'Gives a room an alias',
  source: 'CS 1.19, setRoomAlias',
  body: Type.Object({ room_id: Type.String() }),
  errors: ['M_FORBIDDEN', 'M_EXCLUSIVE', 'M_ROOM_IN_USE', 'M_INVALID_PARAM'],
  async handle({ params, body, requester }, services) {
    const alias = checkedAlias(params['roomAlias']!);
    if (serverNameOf(alias) !== services.config.serverName) {
      throw new MatrixError('M_INVALID_PARAM', 'The alias is not one of this server');
    }
    await aliases.addAlias(services, requester, alias, body.room_id);
    return {};
  },
});

const deleteRoomAlias = declare({
  operation: 'deleteRoomAlias',
  method: 'DELETE',
  paths: aliasPaths,
  auth: 'user',
  runsOn,
  summary: 'Takes an alias away',
  source: 'CS 1.19, deleteRoomAlias',
  bodyMode: 'optional',
  errors: ['M_NOT_FOUND', 'M_EXCLUSIVE', 'M_FORBIDDEN'],
  async handle({ params, requester }, services) {
    await aliases.removeAlias(services, requester, checkedAlias(params['roomAlias']!));
    return {};
  },
});

const getLocalAliases = declare({
  operation: 'getLocalAliases',
  method: 'GET',
  paths: [
    ...clientPaths('/rooms/:roomId/aliases'),
    '/_matrix/client/unstable/org.matrix.msc2432/rooms/:roomId/aliases',
  ],
  auth: 'user',
  runsOn,
  summary: "A room's aliases on this server",
  source: 'CS 1.19, getLocalAliases',
  errors: ['M_FORBIDDEN'],
  handle: async ({ params, requester }, services) => ({
    aliases: await aliases.aliasesOf(services, requester, params['roomId']!),
  }),
});

const listPaths = clientPaths('/directory/list/room/:roomId');

const getRoomVisibilityOnDirectory = declare({
  operation: 'getRoomVisibilityOnDirectory',
  method: 'GET',
  paths: listPaths,
  auth: 'none',
  runsOn,
  summary: 'Whether the directory shows a room',
  source: 'CS 1.19, getRoomVisibilityOnDirectory',
  errors: ['M_NOT_FOUND'],
  async handle({ params }, services) {
    const found = await services.directory.find(params['roomId']!);
    if (!found) throw new MatrixError('M_NOT_FOUND', 'Unknown room');
    return { visibility: found.isPublic ? 'public' : 'private' };
  },
});

const visibilityBody = Type.Object({
  visibility: Type.Optional(Type.Union([Type.Literal('public'), Type.Literal('private')])),
});

const setRoomVisibilityOnDirectory = declare({
  operation: 'setRoomVisibilityOnDirectory',
  method: 'PUT',
  paths: listPaths,
  auth: 'user',
  runsOn,
  summary: 'Shows a room in the directory, or hides it',
  source: 'CS 1.19, setRoomVisibilityOnDirectory',
  body: visibilityBody,
  bodyMode: 'optional',
  errors: ['M_NOT_FOUND', 'M_FORBIDDEN'],
  async handle({ params, body, requester }, services) {
    const isPublic = (body.visibility ?? 'public') === 'public';
    await aliases.setPublic(services, requester, params['roomId']!, isPublic);
    return {};
  },
});

const appserviceDirectory = (['PUT', 'DELETE'] as const).map((method) =>
  declare({
    operation:
      method === 'PUT'
        ? 'updateAppserviceRoomDirectoryVisibility'
        : 'deleteAppserviceDirectoryRoom',
    method,
    paths: clientPaths('/directory/list/appservice/:networkId/:roomId'),
    auth: 'appservice',
    runsOn: { group: 'main', balance: 'none' },
    summary: 'Shows a room in the directory of a network that a bridge leads to, or hides it',
    source: 'CS 1.19, updateAppserviceRoomDirectoryVisibility',
    body: visibilityBody,
    bodyMode: 'optional',
    errors: ['M_NOT_FOUND', 'M_FORBIDDEN'],
    async handle({ params, body, requester }, services) {
      const roomId = params['roomId']!;
      if (!(await services.directory.find(roomId))) {
        throw new MatrixError('M_NOT_FOUND', 'Unknown room');
      }
      const isShown = method === 'PUT' && (body.visibility ?? 'public') === 'public';
      const network = { appserviceId: requester.appservice!.id, networkId: params['networkId']! };
      await services.appserviceDirectories.set(network, roomId, isShown);
      return {};
    },
  }),
);

const queryRoomDirectory = declare({
  operation: 'queryRoomDirectory',
  method: 'GET',
  paths: ['/_matrix/federation/v1/query/directory'],
  auth: 'server',
  resource: 'federation',
  runsOn: { group: 'federation', balance: 'origin' },
  summary: 'Tells another server which room an alias of this one stands for',
  source: 'SS 1.19, queryRoomDirectory',
  query: Type.Object({ room_alias: Type.String() }),
  errors: ['M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ query }, services) {
    const alias = checkedAlias(query.room_alias);
    if (serverNameOf(alias) !== services.config.serverName) {
      throw new MatrixError('M_INVALID_PARAM', 'The alias is not one of this server');
    }
    const { roomId, servers } = await locateAlias(services, alias);
    return { room_id: roomId, servers };
  },
});

export const directoryEndpoints = [
  getRoomIdByAlias,
  setRoomAlias,
  deleteRoomAlias,
  getLocalAliases,
  getRoomVisibilityOnDirectory,
  setRoomVisibilityOnDirectory,
  ...appserviceDirectory,
  queryRoomDirectory,
];
