import type { JsonObject } from '../../matrix/pdu.ts';
import { declare, pduBody, placed, templateAnswer } from './needs.ts';

const makeLeave = declare({
  ...placed,
  operation: 'makeLeave',
  method: 'GET',
  paths: ['/_matrix/federation/v1/make_leave/:roomId/:userId'],
  summary: 'Gives another server the event by which its user may leave a room',
  source: 'SS 1.19, makeLeave',
  answers: templateAnswer,
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params, origin }, { others }) {
    const { roomId = '', userId = '' } = params;
    const { roomVersion, event } = await others.make('leave', roomId, userId, origin, null);
    return { room_version: roomVersion, event };
  },
});

const versions = ['v2', 'v1'] as const;

/** The first form wraps its answer (server-server spec, "sendLeaveV1"). */
const sendLeave = versions.map((version) =>
  declare({
    ...placed,
    operation: version === 'v2' ? 'sendLeaveV2' : 'sendLeaveV1',
    method: 'PUT',
    paths: [`/_matrix/federation/${version}/send_leave/:roomId/:eventId`],
    deprecated: version === 'v1',
    summary: 'Takes in the leave of a user of another server',
    source: `SS 1.19, sendLeave${version.toUpperCase()}`,
    body: pduBody,
    errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
    async handle({ params, body, origin }, { others }) {
      const { roomId = '', eventId = '' } = params;
      await others.send('leave', roomId, body as JsonObject, { origin, eventId });
      return version === 'v2' ? {} : [200, {}];
    },
  }),
);

export const leaveEndpoints = [makeLeave, ...sendLeave];
