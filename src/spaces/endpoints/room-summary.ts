import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { resolveRoom } from '../../rooms/module.ts';
import { describe } from '../described-room.ts';
import { knowledgeOf } from '../hierarchy.ts';
import type { SpaceNeeds } from './needs.ts';

/** No user has this number. */
const nobody = 0;

export const getRoomSummary = endpoint<SpaceNeeds>()({
  operation: 'getRoomSummary',
  method: 'GET',
  paths: [
    '/_matrix/client/v1/room_summary/:roomIdOrAlias',
    '/_matrix/client/unstable/im.nheko.summary/summary/:roomIdOrAlias',
    '/_matrix/client/unstable/im.nheko.summary/rooms/:roomIdOrAlias/summary',
  ],
  auth: 'optional',
  runsOn: { group: 'client', balance: 'room' },
  summary: 'What a room says of itself to those who may join, knock or read',
  source: 'CS 1.19, getRoomSummary; MSC3266',
  query: Type.Object({
    via: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
  }),
  errors: ['M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params, requester }, { rooms, store }) {
    const roomId = await resolveRoom(rooms, params['roomIdOrAlias']!);
    const userNid = requester?.userNid ?? nobody;
    const roomNid = await store.roomNid(roomId);
    const [row] = roomNid === null ? [] : await store.described([roomNid], userNid);
    const mayKnow = await knowledgeOf(rooms, row ? [row] : [], userNid);
    if (!row || !mayKnow(row)) throw new MatrixError('M_NOT_FOUND', 'Room not found.');
    const described = describe(row);
    return {
      ...described,
      'im.nheko.summary.room_version': described.room_version,
      'im.nheko.summary.version': described.room_version,
      ...(described.encryption ? { 'im.nheko.summary.encryption': described.encryption } : {}),
      ...(requester ? { membership: row.membership ?? 'leave' } : {}),
    };
  },
});
