import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { NotificationHistory } from '../notification-history.ts';

const limitDefault = 50;
const limitMax = 500;

export const getNotifications = endpoint<{ history: NotificationHistory }>()({
  operation: 'getNotifications',
  method: 'GET',
  paths: clientPaths('/notifications'),
  auth: 'user',
  runsOn: { group: 'main', balance: 'user' },
  summary: 'Events that the user has been notified of, newest first',
  source: 'CS 1.19, getNotifications',
  query: Type.Object({
    from: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    only: Type.Optional(Type.String()),
  }),
  answers: {
    200: Type.Object({
      notifications: Type.Array(Type.Any()),
      next_token: Type.Optional(Type.String()),
    }),
  },
  errors: ['M_INVALID_PARAM'],
  async handle({ query, requester }, { history }) {
    const { from, limit = limitDefault, only } = query;
    if (from !== undefined && !/^\d{1,15}$/.test(from)) {
      throw new MatrixError('M_INVALID_PARAM', 'from is no token of this endpoint');
    }
    const page = await history.page(requester, {
      beforePos: from === undefined ? Number.MAX_SAFE_INTEGER : Number(from),
      limit: Math.min(Math.max(limit, 1), limitMax),
      onlyHighlights: only?.split(',').includes('highlight') ?? false,
    });
    const next = page.nextPos === null ? '' : `,"next_token":"${page.nextPos}"`;
    return new JsonText(`{"notifications":[${page.notifications.join(',')}]${next}}`);
  },
});
