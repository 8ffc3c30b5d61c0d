import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { contentOf, locateEntrance, membership, resolveRoom } from '../../rooms/module.ts';
import { shared, type RoomAdminServices } from '../needs.ts';
import { makeRoomAdmin } from '../powers.ts';
import { actorFor } from '../shutdown.ts';

const declare = endpoint<RoomAdminServices>();
const base = '/_synapse/admin/v1';

const makeAdmin = declare({
  ...shared,
  operation: 'adminMakeRoomAdmin',
  method: 'POST',
  paths: [`${base}/rooms/:roomIdOrAlias/make_room_admin`],
  summary: 'Gives a user, or whoever asks, the highest power that this server has in a room',
  source: 'Synapse admin API, "Make Room Admin API"',
  body: Type.Object({ user_id: Type.Optional(Type.String()) }),
  bodyMode: 'optional',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_UNKNOWN', 'M_INVALID_PARAM'],
  async handle({ params, body, requester }, { rooms }) {
    const roomId = await resolveRoom(rooms, params['roomIdOrAlias']!);
    await makeRoomAdmin(rooms, roomId, body.user_id ?? requester.userId);
    return {};
  },
});

const joinUser = declare({
  ...shared,
  operation: 'adminJoinRoom',
  method: 'POST',
  paths: [`${base}/join/:roomIdOrAlias`],
  summary: 'Makes a user of this server join a room',
  source: 'Synapse admin API, "Edit Room Membership API"',
  query: Type.Object({ server_name: Type.Optional(Type.Array(Type.String())) }),
  body: Type.Object({ user_id: Type.String() }),
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_UNKNOWN', 'M_INVALID_PARAM', 'M_MISSING_PARAM'],
  async handle({ params, query, body, requester }, { rooms, localUser }) {
    const user = await localUser(body.user_id);
    const named = query.server_name ?? [];
    const { roomId, servers } = await locateEntrance(rooms, params['roomIdOrAlias']!, named);
    const access = await rooms.access.of(roomId, user.userNid);
    const [rules] = access
      ? await rooms.states.entries(access.roomNid, [['m.room.join_rules', '']])
      : [];
    const isOpen = !rules || contentOf(rules)['join_rule'] === 'public';
    if (!isOpen && access?.membership !== 'join') {
      await membership.invite(rooms, requester, roomId, user.userId);
    }
    await membership.join(rooms, actorFor(user), roomId, {}, { servers });
    return { room_id: roomId };
  },
});

const extremitiesPath = [`${base}/rooms/:roomIdOrAlias/forward_extremities`];

const getExtremities = declare({
  ...shared,
  operation: 'adminGetForwardExtremities',
  method: 'GET',
  paths: extremitiesPath,
  summary: 'The events of a room that no other follows yet',
  source: 'Synapse admin API, "Forward Extremities Admin API"',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params }, { rooms }) {
    const roomId = await resolveRoom(rooms, params['roomIdOrAlias']!);
    const found = await rooms.heads.extremities(roomId);
    // The state after an event has no number of its own here: it is that at the event's.
    const results = found.map(({ eventId, eventNid, depth, originServerTs }) => ({
      event_id: eventId,
      state_group: eventNid,
      depth,
      received_ts: originServerTs,
    }));
    return { count: results.length, results };
  },
});

const deleteExtremities = declare({
  ...shared,
  operation: 'adminDeleteForwardExtremities',
  method: 'DELETE',
  paths: extremitiesPath,
  bodyMode: 'none',
  summary: 'Leaves the newest of them alone',
  source: 'Synapse admin API, "Forward Extremities Admin API"',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params }, { rooms }) {
    const roomId = await resolveRoom(rooms, params['roomIdOrAlias']!);
    if (!(await rooms.members.room(roomId))) {
      throw new MatrixError('M_NOT_FOUND', 'Room not found');
    }
    return { deleted: await rooms.writer.pruneExtremities(roomId) };
  },
});

export const powerEndpoints = [makeAdmin, joinUser, getExtremities, deleteExtremities];
