import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { isUserId } from '../../matrix/ids.ts';
import type { SpaceNeeds } from './needs.ts';

const pageRooms = 100;

function placeOf(token: string | undefined): number {
  if (token === undefined) return 0;
  const match = /^m(\d{1,16})$/.exec(token);
  if (!match) throw new MatrixError('M_INVALID_PARAM', '`from` is not a token of this server');
  return Number(match[1]);
}

export const getMutualRooms = endpoint<SpaceNeeds>()({
  operation: 'getMutualRooms',
  method: 'GET',
  paths: [
    '/_matrix/client/v1/mutual_rooms',
    '/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms',
  ],
  auth: 'user',
  runsOn: { group: 'client', balance: 'user' },
  summary: 'The rooms that both the user and another are joined to',
  source: 'CS 1.19, getMutualRooms; MSC2666',
  query: Type.Object({
    user_id: Type.String(),
    from: Type.Optional(Type.String()),
    batch_token: Type.Optional(Type.String()),
  }),
  errors: ['M_INVALID_PARAM', 'M_MISSING_PARAM'],
  async handle({ query, requester }, { rooms, store }) {
    const { user_id: userId } = query;
    if (!isUserId(userId)) throw new MatrixError('M_INVALID_PARAM', 'The user ID is invalid');
    if (userId === requester.userId) {
      throw new MatrixError('M_INVALID_PARAM', 'One shares all rooms with oneself');
    }
    const after = placeOf(query.from ?? query.batch_token);
    const other = await rooms.interned.find(userId);
    if (other === null) return { joined: [], count: 0 };
    const found = await store.mutual(requester.userNid, other, after, pageRooms + 1);
    const shown = found.slice(0, pageRooms);
    return {
      joined: shown.map((row) => row.roomId),
      count: found[0]?.total ?? 0,
      ...(found.length > pageRooms ? { next_batch: `m${shown.at(-1)!.roomNid}` } : {}),
    };
  },
});
