import { Type } from 'typebox';
import type { SharedBackOff } from '../../federation-client/shared-back-off.ts';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import {
  destinationOrders,
  type DestinationAdminStore,
  type DestinationRow,
} from '../store/admin.ts';

export interface AdminNeeds {
  admin: DestinationAdminStore;
  backOff: Pick<SharedBackOff, 'failing' | 'succeeded'>;
}

const declare = endpoint<AdminNeeds>();
const path = '/_synapse/admin/v1/federation/destinations';
const shared = {
  auth: 'admin',
  resource: 'client',
  runsOn: { group: 'admin', balance: 'none' },
  source: 'Synapse, "Federation API"',
} as const;

const limitDefault = 100;
const limitMax = 1_000;
const page = {
  from: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  dir: Type.Optional(Type.Union([Type.Literal('f'), Type.Literal('b')])),
};

const pageOf = (query: { from?: number; limit?: number; dir?: 'f' | 'b' }) => ({
  offset: query.from ?? 0,
  limit: Math.min(query.limit ?? limitDefault, limitMax),
  direction: query.dir ?? 'f',
});

const nextToken = (offset: number, count: number, total: number) =>
  offset + count < total && count > 0 ? { next_token: String(offset + count) } : {};

/** `retry_last_ts` and `retry_interval` are 0 for a server that answers. */
const shown = (row: DestinationRow) => ({
  destination: row.serverName,
  retry_last_ts: row.retryLastTs ?? 0,
  retry_interval: row.retryIntervalMs ?? 0,
  failure_ts: row.failingSinceTs,
  last_successful_stream_ordering: row.sentPos,
});

async function found(admin: DestinationAdminStore, name: string): Promise<DestinationRow> {
  const row = await admin.one(name);
  if (!row) throw new MatrixError('M_NOT_FOUND', 'Unknown destination');
  return row;
}

const list = declare({
  ...shared,
  operation: 'listAdminDestinations',
  method: 'GET',
  paths: [path],
  summary: 'Servers that something was sent to, and whether they answer',
  query: Type.Object({
    ...page,
    destination: Type.Optional(Type.String()),
    order_by: Type.Optional(Type.Union(destinationOrders.map((name) => Type.Literal(name)))),
  }),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
  async handle({ query }, { admin }) {
    const wanted = pageOf(query);
    const order = query.order_by ?? 'destination';
    const { destinations, total } = await admin.list(query.destination ?? '', order, wanted);
    return {
      destinations: destinations.map(shown),
      total,
      ...nextToken(wanted.offset, destinations.length, total),
    };
  },
});

const get = declare({
  ...shared,
  operation: 'getAdminDestination',
  method: 'GET',
  paths: [`${path}/:destination`],
  summary: 'Whether a server answers that something was sent to',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  handle: async ({ params }, { admin }) => shown(await found(admin, params['destination']!)),
});

const rooms = declare({
  ...shared,
  operation: 'listAdminDestinationRooms',
  method: 'GET',
  paths: [`${path}/:destination/rooms`],
  summary: 'The rooms that a server is in',
  params: Type.Object({ destination: Type.String() }),
  query: Type.Object(page),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM', 'M_NOT_FOUND'],
  async handle({ params, query }, { admin }) {
    const { serverName, sentPos } = await found(admin, params.destination);
    const wanted = pageOf(query);
    const { rooms: listed, total } = await admin.rooms(serverName, sentPos ?? 0, wanted);
    return {
      rooms: listed.map(({ roomId, pos }) => ({ room_id: roomId, stream_ordering: pos })),
      total,
      ...nextToken(wanted.offset, listed.length, total),
    };
  },
});

const reset = declare({
  ...shared,
  operation: 'resetAdminDestination',
  method: 'POST',
  paths: [`${path}/:destination/reset_connection`],
  bodyMode: 'optional',
  summary: 'Tries a server again that did not answer, at once',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_UNKNOWN'],
  async handle({ params }, { admin, backOff }) {
    const { serverName, failingSinceTs } = await found(admin, params['destination']!);
    if (failingSinceTs === null && !backOff.failing(serverName)) {
      throw new MatrixError('M_UNKNOWN', 'The server answers: there is nothing to be reset');
    }
    backOff.succeeded(serverName);
    return {};
  },
});

export const adminEndpoints = [list, get, rooms, reset];
