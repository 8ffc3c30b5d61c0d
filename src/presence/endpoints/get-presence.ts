import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { presenceContent } from '../presence-event.ts';
import type { PresenceServices } from './needs.ts';

export const getPresence = endpoint<PresenceServices>()({
  operation: 'getPresence',
  method: 'GET',
  paths: clientPaths('/presence/:userId/status'),
  auth: 'guest',
  runsOn: { group: 'presence', balance: 'user' },
  summary: 'How present a user is',
  source: 'CS 1.19, getPresence',
  params: Type.Object({ userId: Type.String() }),
  answers: {
    200: Type.Object({
      presence: Type.String(),
      last_active_ago: Type.Optional(Type.Integer()),
      status_msg: Type.Optional(Type.String()),
      currently_active: Type.Optional(Type.Boolean()),
    }),
  },
  errors: ['M_FORBIDDEN'],
  async handle({ params, requester }, services) {
    const { config, clock, board, tracker, sharesRoom, userNidOf } = services;
    if (!config.isEnabled) return { presence: 'offline' };
    const isSelf = params.userId === requester.userId;
    const userNid = isSelf ? requester.userNid : await userNidOf(params.userId);
    const isVisible =
      userNid !== null && (isSelf || (await sharesRoom(requester.userNid, userNid)));
    if (!isVisible) {
      throw new MatrixError('M_FORBIDDEN', 'only those who share a room see a user’s presence');
    }
    const presence = board.get(userNid);
    if (!presence) return { presence: 'offline' };
    return presenceContent(tracker.upToDate(presence), clock.now());
  },
});
