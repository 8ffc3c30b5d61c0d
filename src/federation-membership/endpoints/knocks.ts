import { Type } from 'typebox';
import type { JsonObject } from '../../matrix/pdu.ts';
import { declare, pduBody, placed, templateAnswer, versionsIn, versionsQuery } from './needs.ts';

const makeKnock = declare({
  ...placed,
  operation: 'makeKnock',
  method: 'GET',
  paths: ['/_matrix/federation/v1/make_knock/:roomId/:userId'],
  summary: 'Gives another server the event by which its user may knock at a room',
  source: 'SS 1.19, makeKnock',
  query: versionsQuery,
  answers: templateAnswer,
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INCOMPATIBLE_ROOM_VERSION'],
  async handle({ params, query, origin }, { others }) {
    const { roomId = '', userId = '' } = params;
    const made = await others.make('knock', roomId, userId, origin, versionsIn(query));
    return { room_version: made.roomVersion, event: made.event };
  },
});

const sendKnock = declare({
  ...placed,
  operation: 'sendKnock',
  method: 'PUT',
  paths: ['/_matrix/federation/v1/send_knock/:roomId/:eventId'],
  summary: 'Takes in the knock of a user of another server',
  source: 'SS 1.19, sendKnock',
  body: pduBody,
  answers: { 200: Type.Object({ knock_room_state: Type.Array(Type.Any()) }) },
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params, body, origin }, { others, shownState }) {
    const { roomId = '', eventId = '' } = params;
    const from = { origin, eventId };
    const { room } = await others.send('knock', roomId, body as JsonObject, from);
    return { knock_room_state: await shownState(room.roomNid, null) };
  },
});

export const knockEndpoints = [makeKnock, sendKnock];
