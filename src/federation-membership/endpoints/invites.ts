import { Type } from 'typebox';
import type { JsonObject, JsonValue } from '../../matrix/pdu.ts';
import { declare, pduBody, placed } from './needs.ts';

const errors = [
  'M_FORBIDDEN',
  'M_INVALID_PARAM',
  'M_INVITE_BLOCKED',
  'M_INCOMPATIBLE_ROOM_VERSION',
  'M_LIMIT_EXCEEDED',
] as const;

const sendInviteV2 = declare({
  ...placed,
  operation: 'sendInviteV2',
  method: 'PUT',
  paths: ['/_matrix/federation/v2/invite/:roomId/:eventId'],
  summary: 'Takes in the invite of a user of this server, and signs it',
  source: 'SS 1.19, sendInviteV2',
  body: Type.Object({
    room_version: Type.String(),
    event: pduBody,
    invite_room_state: Type.Optional(Type.Array(Type.Any())),
  }),
  answers: { 200: Type.Object({ event: pduBody }) },
  errors,
  async handle({ params, body, origin }, { receivedInvites }) {
    const { roomId = '', eventId = '' } = params;
    const event = await receivedInvites.receive(
      {
        roomId,
        eventId,
        roomVersion: body.room_version,
        event: body.event as JsonObject,
        shownState: body.invite_room_state as JsonValue | undefined,
      },
      origin,
    );
    return { event };
  },
});

const sendInviteV1 = declare({
  ...placed,
  operation: 'sendInviteV1',
  method: 'PUT',
  paths: ['/_matrix/federation/v1/invite/:roomId/:eventId'],
  deprecated: true,
  summary: 'Takes in an invite to a room of version 1 or 2',
  source: 'SS 1.19, sendInviteV1',
  body: pduBody,
  errors,
  async handle({ params, body, origin }, { receivedInvites }) {
    const { roomId = '', eventId = '' } = params;
    const given = body as JsonObject;
    const { invite_room_state: shownState } = (given['unsigned'] ?? {}) as JsonObject;
    // Of the two versions that this form is for, what is checked here is the same.
    const invite = { roomId, eventId, roomVersion: '1', event: given, shownState };
    return [200, { event: await receivedInvites.receive(invite, origin) }];
  },
});

export const inviteEndpoints = [sendInviteV2, sendInviteV1];
