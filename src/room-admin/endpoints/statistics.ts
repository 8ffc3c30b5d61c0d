import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { shared, type RoomAdminServices } from '../needs.ts';
import { usageOrders } from '../store/statistics.ts';

const declare = endpoint<RoomAdminServices>();

const limitDefault = 100;
const limitMax = 1_000;
/** As in Synapse. */
const largestMax = 10;

const getMediaUsage = declare({
  ...shared,
  operation: 'adminGetMediaStatistics',
  method: 'GET',
  paths: ['/_synapse/admin/v1/statistics/users/media'],
  summary: 'How much users have uploaded',
  source: 'Synapse admin API, "Users\' media usage statistics"',
  query: Type.Object({
    from: Type.Optional(Type.Integer({ minimum: 0 })),
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    from_ts: Type.Optional(Type.Integer({ minimum: 0 })),
    until_ts: Type.Optional(Type.Integer({ minimum: 0 })),
    order_by: Type.Optional(Type.Union(usageOrders.map((name) => Type.Literal(name)))),
    search_term: Type.Optional(Type.String()),
    dir: Type.Optional(Type.Union([Type.Literal('f'), Type.Literal('b')])),
  }),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
  async handle({ query }, { statistics }) {
    const fromTs = query.from_ts ?? 0;
    if (query.until_ts !== undefined && query.until_ts <= fromTs) {
      const message = 'Query parameter until_ts must be greater than from_ts.';
      throw new MatrixError('M_INVALID_PARAM', message);
    }
    if (query.search_term === '') {
      const message = 'Query parameter search_term cannot be an empty string.';
      throw new MatrixError('M_INVALID_PARAM', message);
    }
    const offset = query.from ?? 0;
    const limit = Math.min(query.limit ?? limitDefault, limitMax);
    const { total, users } = await statistics.mediaUsage({
      fromTs,
      untilTs: query.until_ts ?? null,
      term: query.search_term ?? null,
      order: query.order_by ?? 'user_id',
      direction: query.dir ?? 'f',
      limit,
      offset,
    });
    return {
      users: users.map(({ userId, displayName, count, bytes }) => ({
        user_id: userId,
        displayname: displayName,
        media_count: count,
        media_length: bytes,
      })),
      total,
      ...(offset + limit < total ? { next_token: offset + users.length } : {}),
    };
  },
});

const getLargestRooms = declare({
  ...shared,
  operation: 'adminGetLargestRooms',
  method: 'GET',
  paths: ['/_synapse/admin/v1/statistics/database/rooms'],
  summary: 'The rooms that take up most of the database, by an estimate',
  source: 'Synapse admin API, "Get largest rooms by size in database"',
  errors: ['M_FORBIDDEN'],
  async handle(_context, { statistics }) {
    const rooms = await statistics.largestRooms(largestMax);
    return {
      rooms: rooms.map(({ roomId, bytes }) => ({ room_id: roomId, estimated_size: bytes })),
    };
  },
});

export const statisticsEndpoints = [getMediaUsage, getLargestRooms];
