import { Type, type Static } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { isServerName } from '../../matrix/ids.ts';
import {
  pageMax,
  publicRooms,
  remotePublicRooms,
  wantedDirectory,
  type PublicRoomsWish,
} from '../public-rooms.ts';
import type { RoomServices } from '../services.ts';

const declare = endpoint<RoomServices>();
const forClients = { runsOn: { group: 'client', balance: 'none' } } as const;
const forServers = {
  auth: 'server',
  resource: 'federation',
  runsOn: { group: 'federation', balance: 'origin' },
} as const;
const serverPaths = ['/_matrix/federation/v1/publicRooms'];

const limit = Type.Optional(Type.Integer());
const since = Type.Optional(Type.String());
const isAll = Type.Optional(Type.Boolean());

const searchBody = Type.Object({
  limit,
  since,
  filter: Type.Optional(
    Type.Object({
      generic_search_term: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      room_types: Type.Optional(
        Type.Union([Type.Array(Type.Union([Type.String(), Type.Null()])), Type.Null()]),
      ),
    }),
  ),
  include_all_networks: isAll,
  third_party_instance_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});

const searchIn = (body: Static<typeof searchBody>): PublicRoomsWish => ({
  limit: body.limit,
  since: body.since,
  searchTerm: body.filter?.generic_search_term ?? undefined,
  roomTypes: body.filter?.room_types ?? undefined,
  directory: wantedDirectory(body.include_all_networks, body.third_party_instance_id),
});

/** The server whose directory is meant; null: this one. Throws M_INVALID_PARAM. */
function otherServer(server: string | undefined, own: string): string | null {
  if (server === undefined || server === '' || server === own) return null;
  if (isServerName(server)) return server;
  throw new MatrixError('M_INVALID_PARAM', `Not a server name: ${JSON.stringify(server)}`);
}

const getPublicRooms = declare({
  ...forClients,
  operation: 'getPublicRooms',
  method: 'GET',
  paths: clientPaths('/publicRooms'),
  auth: 'optional',
  summary: 'The room directory',
  source: 'CS 1.19, getPublicRooms',
  query: Type.Object({ limit, since, server: Type.Optional(Type.String()) }),
  async handle({ query, requester }, services) {
    const { limit: wanted, since: after } = query;
    const server = otherServer(query.server, services.config.serverName);
    // Requests to other servers are made for users only.
    if (!requester && (server !== null || !services.config.publicRoomsWithoutAuth)) {
      throw new MatrixError('M_MISSING_TOKEN', 'The room directory is for logged-in users');
    }
    if (server !== null)
      return remotePublicRooms(services, server, { limit: wanted, since: after });
    return publicRooms(services, { limit: wanted, since: after });
  },
});

const queryPublicRooms = declare({
  ...forClients,
  operation: 'queryPublicRooms',
  method: 'POST',
  paths: clientPaths('/publicRooms'),
  auth: 'guest',
  summary: 'Searches the room directory',
  source: 'CS 1.19, queryPublicRooms',
  query: Type.Object({ server: Type.Optional(Type.String()) }),
  body: searchBody,
  bodyMode: 'optional',
  errors: ['M_INVALID_PARAM', 'M_UNKNOWN'],
  async handle({ query, body }, services) {
    const wish = searchIn(body);
    const server = otherServer(query.server, services.config.serverName);
    if (server === null) return publicRooms(services, wish);
    const { limit: wanted, since: after, ...search } = body;
    return remotePublicRooms(services, server, { limit: wanted, since: after, search });
  },
});

function checkForServers({ config }: RoomServices): void {
  if (config.publicRoomsForServers) return;
  throw new MatrixError('M_FORBIDDEN', 'The room directory is not shown to other servers');
}

/** Without a limit, or with 0, servers want all of it: they get as much as a page has. */
const pageFor = (wanted: number | undefined) => (wanted === 0 ? pageMax : wanted);

const getPublicRoomsForServers = declare({
  ...forServers,
  operation: 'getPublicRoomsForServers',
  method: 'GET',
  paths: serverPaths,
  summary: 'Shows the room directory to another server',
  source: 'SS 1.19, getPublicRooms',
  query: Type.Object({
    limit,
    since,
    include_all_networks: isAll,
    third_party_instance_id: Type.Optional(Type.String()),
  }),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
  async handle({ query }, services) {
    checkForServers(services);
    return publicRooms(services, {
      limit: pageFor(query.limit ?? 0),
      since: query.since,
      directory: wantedDirectory(query.include_all_networks, query.third_party_instance_id),
    });
  },
});

const queryPublicRoomsForServers = declare({
  ...forServers,
  operation: 'queryPublicRoomsForServers',
  method: 'POST',
  paths: serverPaths,
  summary: 'Searches the room directory for another server',
  source: 'SS 1.19, queryPublicRooms',
  body: searchBody,
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
  async handle({ body }, services) {
    checkForServers(services);
    const wish = searchIn(body);
    return publicRooms(services, { ...wish, limit: pageFor(wish.limit) });
  },
});

export const publicRoomsEndpoints = [
  getPublicRooms,
  queryPublicRooms,
  getPublicRoomsForServers,
  queryPublicRoomsForServers,
];
