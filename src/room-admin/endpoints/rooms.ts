import { Type } from 'typebox';
import { endpoint, JsonText } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { clientEventJson } from '../../rooms/module.ts';
import { shared, type RoomAdminServices } from '../needs.ts';
import { roomOrders, type RoomFacts } from '../store/room-list.ts';

const declare = endpoint<RoomAdminServices>();
const path = '/_synapse/admin/v1/rooms';

const limitDefault = 100;
const limitMax = 1_000;

export const roomNotFound = () => new MatrixError('M_NOT_FOUND', 'Room not found');

/** A member of a content that is text; null where it is not. */
function textIn(state: Record<string, string>, type: string, name: string): string | null {
  const content = state[type];
  if (content === undefined) return null;
  const value = (JSON.parse(content) as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : null;
}

function factsOf({ state, ...room }: RoomFacts) {
  const create = JSON.parse(state['m.room.create'] ?? '{}') as Record<string, unknown>;
  return {
    room_id: room.roomId,
    name: textIn(state, 'm.room.name', 'name'),
    canonical_alias: textIn(state, 'm.room.canonical_alias', 'alias'),
    joined_members: room.joinedMembers,
    joined_local_members: room.joinedLocalMembers,
    version: room.version,
    creator: room.creator,
    encryption: textIn(state, 'm.room.encryption', 'algorithm'),
    federatable: create['m.federate'] !== false,
    public: room.isPublic,
    join_rules: textIn(state, 'm.room.join_rules', 'join_rule'),
    guest_access: textIn(state, 'm.room.guest_access', 'guest_access'),
    history_visibility: textIn(state, 'm.room.history_visibility', 'history_visibility'),
    state_events: room.stateEvents,
    room_type: textIn(state, 'm.room.create', 'type'),
  };
}

const listRooms = declare({
  ...shared,
  operation: 'adminListRooms',
  method: 'GET',
  paths: [path],
  summary: 'The rooms that this server knows',
  source: 'Synapse admin API, "List Room API"',
  query: Type.Object({
    from: Type.Optional(Type.Integer({ minimum: 0 })),
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    order_by: Type.Optional(Type.Union(roomOrders.map((name) => Type.Literal(name)))),
    dir: Type.Optional(Type.Union([Type.Literal('f'), Type.Literal('b')])),
    search_term: Type.Optional(Type.String()),
    public_rooms: Type.Optional(Type.Boolean()),
    empty_rooms: Type.Optional(Type.Boolean()),
  }),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
  async handle({ query }, { list, rooms: { bus } }) {
    if (query.search_term === '') {
      throw new MatrixError('M_INVALID_PARAM', 'search_term cannot be an empty string');
    }
    const offset = query.from ?? 0;
    const limit = Math.min(query.limit ?? limitDefault, limitMax);
    await list.takeIn(bus.position());
    const { total, rooms } = await list.page({
      term: query.search_term ?? null,
      isPublic: query.public_rooms ?? null,
      isEmpty: query.empty_rooms ?? null,
      order: query.order_by ?? 'name',
      direction: query.dir ?? 'f',
      limit,
      offset,
    });
    return {
      offset,
      rooms: rooms.map(factsOf),
      total_rooms: total,
      ...(offset + limit < total ? { next_batch: offset + limit } : {}),
      ...(offset > 0 ? { prev_batch: Math.max(0, offset - limit) } : {}),
    };
  },
});

const getRoom = declare({
  ...shared,
  operation: 'adminGetRoom',
  method: 'GET',
  paths: [`${path}/:roomId`],
  summary: 'One room',
  source: 'Synapse admin API, "Room Details API"',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params }, { details }) {
    const room = await details.details(params['roomId']!);
    if (!room) throw roomNotFound();
    const { state } = room;
    return {
      ...factsOf(room),
      topic: textIn(state, 'm.room.topic', 'topic'),
      avatar: textIn(state, 'm.room.avatar', 'url'),
      joined_local_devices: room.localDevices,
      forgotten: room.isForgotten,
      tombstoned: 'm.room.tombstone' in state,
      replacement_room: textIn(state, 'm.room.tombstone', 'replacement_room'),
    };
  },
});

const getMembers = declare({
  ...shared,
  operation: 'adminGetRoomMembers',
  method: 'GET',
  paths: [`${path}/:roomId/members`],
  summary: 'Who is joined to a room',
  source: 'Synapse admin API, "Room Members API"',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params }, { rooms, details }) {
    const roomId = params['roomId']!;
    if (!(await rooms.members.room(roomId))) throw roomNotFound();
    const members = await details.joinedMembers(roomId);
    return { members, total: members.length };
  },
});

const getState = declare({
  ...shared,
  operation: 'adminGetRoomState',
  method: 'GET',
  paths: [`${path}/:roomId/state`],
  summary: 'The state of a room',
  source: 'Synapse admin API, "Room State API"',
  query: Type.Object({ type: Type.Optional(Type.String()) }),
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params, query }, { rooms }) {
    const roomId = params['roomId']!;
    const room = await rooms.members.room(roomId);
    if (!room) throw roomNotFound();
    const { type } = query;
    const state = await rooms.states.state(room.roomNid, null);
    const now = rooms.clock.now();
    const texts = state
      .filter((event) => !type || event.type === type)
      .map((event) => clientEventJson(event, { roomId, now }));
    return new JsonText(`{"state":[${texts.join(',')}]}`);
  },
});

export const roomEndpoints = [listRooms, getRoom, getMembers, getState];
