import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { PresenceServices } from './needs.ts';

/** Longest status message; it is sent to everybody who shares a room, at each change. */
const statusLengthMax = 1024;

export const setPresence = endpoint<PresenceServices>()({
  operation: 'setPresence',
  method: 'PUT',
  paths: clientPaths('/presence/:userId/status'),
  auth: 'guest',
  runsOn: { group: 'presence', balance: 'user' },
  summary: 'Sets how present the user is',
  source: 'CS 1.19, setPresence',
  params: Type.Object({ userId: Type.String() }),
  body: Type.Object({
    presence: Type.Union([
      Type.Literal('online'),
      Type.Literal('unavailable'),
      Type.Literal('offline'),
    ]),
    status_msg: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  }),
  answers: { 200: Type.Object({}) },
  errors: ['M_FORBIDDEN', 'M_BAD_JSON', 'M_INVALID_PARAM'],
  async handle({ params, body, requester }, { config, shared }) {
    if (params.userId !== requester.userId) {
      throw new MatrixError('M_FORBIDDEN', 'only one’s own presence can be set');
    }
    const statusMsg = body.status_msg ?? null;
    if (statusMsg !== null && statusMsg.length > statusLengthMax) {
      throw new MatrixError('M_INVALID_PARAM', `status_msg is longer than ${statusLengthMax}`);
    }
    if (config.isEnabled && config.isTracked) {
      const { userNid, userId, deviceId } = requester;
      await shared.set({ userNid, userId, deviceId }, body.presence, statusMsg);
    }
    return {};
  },
});
