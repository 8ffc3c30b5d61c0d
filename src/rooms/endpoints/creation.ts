import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { createRoom as create } from '../create-room.ts';
import type { RoomServices } from '../services.ts';
import { upgradeRoom as upgrade } from '../upgrade.ts';
import { contentBody } from './parts.ts';

const declare = endpoint<RoomServices>();

const createRoom = declare({
  operation: 'createRoom',
  refusesSuspended: true,
  method: 'POST',
  paths: clientPaths('/createRoom'),
  auth: 'user',
  rateLimit: 'room_creation',
  runsOn: { group: 'client', balance: 'none' },
  summary: 'Makes a room',
  source: 'CS 1.19, createRoom',
  body: Type.Object({
    visibility: Type.Optional(Type.Union([Type.Literal('public'), Type.Literal('private')])),
    room_alias_name: Type.Optional(Type.String()),
    name: Type.Optional(Type.String()),
    topic: Type.Optional(Type.String()),
    invite: Type.Optional(Type.Array(Type.String())),
    invite_3pid: Type.Optional(
      Type.Array(
        Type.Object({
          medium: Type.String(),
          address: Type.String(),
          id_server: Type.String(),
          id_access_token: Type.String(),
        }),
      ),
    ),
    room_version: Type.Optional(Type.String()),
    creation_content: Type.Optional(contentBody),
    initial_state: Type.Optional(
      Type.Array(
        Type.Object({
          type: Type.String(),
          state_key: Type.Optional(Type.String()),
          content: contentBody,
        }),
      ),
    ),
    preset: Type.Optional(
      Type.Union([
        Type.Literal('private_chat'),
        Type.Literal('public_chat'),
        Type.Literal('trusted_private_chat'),
      ]),
    ),
    is_direct: Type.Optional(Type.Boolean()),
    power_level_content_override: Type.Optional(contentBody),
  }),
  bodyMode: 'optional',
  errors: [
    'M_ROOM_IN_USE',
    'M_INVALID_ROOM_STATE',
    'M_UNSUPPORTED_ROOM_VERSION',
    'M_LIMIT_EXCEEDED',
  ],
  handle: async ({ body, requester }, services) => ({
    room_id: await create(services, requester, body),
  }),
});

const upgradeRoom = declare({
  operation: 'upgradeRoom',
  refusesSuspended: true,
  method: 'POST',
  paths: clientPaths('/rooms/:roomId/upgrade'),
  auth: 'user',
  rateLimit: 'room_creation',
  runsOn: { group: 'client', balance: 'none' },
  summary: 'Replaces a room by one of another version',
  source: 'CS 1.19, upgradeRoom',
  body: Type.Object({
    new_version: Type.String(),
    additional_creators: Type.Optional(Type.Array(Type.String())),
  }),
  errors: ['M_FORBIDDEN', 'M_UNSUPPORTED_ROOM_VERSION'],
  handle: async ({ params, body, requester }, services) => ({
    replacement_room: await upgrade(services, requester, params['roomId']!, {
      version: body.new_version,
      additionalCreators: body.additional_creators ?? [],
    }),
  }),
});

export const creationEndpoints = [createRoom, upgradeRoom];
