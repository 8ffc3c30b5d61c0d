import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { locateRoom } from '../../rooms/module.ts';
import { describe, type RoomDescription } from '../described-room.ts';
import { knowledgeOf, knowledgeOfRemote, type TreeNeeds } from '../tree.ts';
import type { SpaceNeeds } from './needs.ts';

/** No user has this number. */
const nobody = 0;

interface Summary {
  described: RoomDescription;
  /** The user's; null: none. */
  membership: string | null;
}

/** What a room says of itself, to this server or to those in `via`. Throws M_NOT_FOUND. */
async function summary(
  needs: TreeNeeds,
  roomId: string,
  via: readonly string[],
  userNid: number,
): Promise<Summary> {
  const { rooms, store, remoteRooms } = needs;
  const notFound = () => new MatrixError('M_NOT_FOUND', 'Room not found.');
  const roomNid = await store.roomNid(roomId);
  const [row] = roomNid === null ? [] : await store.described([roomNid], userNid);
  if (row) {
    const mayKnow = await knowledgeOf(rooms, [row], userNid);
    if (!mayKnow(row)) throw notFound();
    return { described: describe(row), membership: row.membership };
  }
  const remote = await remoteRooms.find(roomId, via);
  if (!remote) throw notFound();
  const mayKnow = await knowledgeOfRemote(needs, [remote.room], userNid);
  if (!mayKnow(remote.room)) throw notFound();
  const memberships = await store.memberships(userNid, [roomId]);
  return { described: remote.room, membership: memberships.get(roomId) ?? null };
}

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
  query: Type.Object({ via: Type.Optional(Type.Array(Type.String())) }),
  errors: ['M_NOT_FOUND', 'M_INVALID_PARAM', 'M_UNKNOWN'],
  async handle({ params, query, requester }, needs) {
    const { roomId, servers } = await locateRoom(needs.rooms, params['roomIdOrAlias']!);
    const via = [...(query.via ?? []), ...servers];
    const { described, membership } = await summary(
      needs,
      roomId,
      via,
      requester?.userNid ?? nobody,
    );
    const { room_version: version, encryption } = described;
    return {
      ...described,
      ...(version === undefined
        ? {}
        : { 'im.nheko.summary.room_version': version, 'im.nheko.summary.version': version }),
      ...(encryption === undefined ? {} : { 'im.nheko.summary.encryption': encryption }),
      ...(requester ? { membership: membership ?? 'leave' } : {}),
    };
  },
});
