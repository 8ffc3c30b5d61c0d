import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement, type Statement } from '../../database/statement.ts';
import { endless, stateContents } from '../../rooms/module.ts';

/** A room as admins see it in lists. */
export interface RoomFacts {
  roomId: string;
  joinedMembers: number;
  joinedLocalMembers: number;
  version: string;
  creator: string | null;
  isPublic: boolean;
  stateEvents: number;
  /** Event type → JSON text of the content of the entry with an empty state key. */
  state: Record<string, string>;
}

const entries = (type: string) => `room_state s
  join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
  where s.room_nid = r.room_nid and s.state_key = '' and s.to_pos = ${endless}
    and s.type_nid = (select type_nid from event_types where event_type = '${type}')`;

/** A member of the content of an entry, as text. */
const member = (type: string, name: string) =>
  `(select ${readableJson('e.content')} ->> '${name}' from ${entries(type)})`;

const creator = `(select u.user_id from users u where u.user_nid = (
  select e.sender_nid from ${entries('m.room.create')}))`;
const localMembers = `(select count(*)::int from memberships m
  where m.room_nid = r.room_nid and m.membership = 'join' and m.is_local)`;
const stateEvents = `(select count(*)::int from room_state s
  where s.room_nid = r.room_nid and s.to_pos = ${endless})`;
const name = member('m.room.name', 'name');
const alias = member('m.room.canonical_alias', 'alias');

/** What a list may be in the order of, and whether the greatest come first. */
const orders = {
  name: [name, false],
  alphabetical: [name, false],
  canonical_alias: [alias, false],
  joined_members: ['r.joined_count', true],
  size: ['r.joined_count', true],
  joined_local_members: [localMembers, true],
  version: ['r.room_version', true],
  creator: [creator, false],
  encryption: [member('m.room.encryption', 'algorithm'), false],
  federatable: [`coalesce(${member('m.room.create', 'm.federate')}, 'true')`, false],
  public: ['r.is_public', false],
  join_rules: [member('m.room.join_rules', 'join_rule'), false],
  guest_access: [member('m.room.guest_access', 'guest_access'), false],
  history_visibility: [member('m.room.history_visibility', 'history_visibility'), false],
  state_events: [stateEvents, true],
} as const;
export type RoomOrder = keyof typeof orders;
export const roomOrders = Object.keys(orders) as RoomOrder[];

export const listedTypes = [
  'm.room.create',
  'm.room.name',
  'm.room.canonical_alias',
  'm.room.join_rules',
  'm.room.history_visibility',
  'm.room.guest_access',
  'm.room.encryption',
] as const;

export const factColumns = (types: readonly string[]) => `
  r.room_id as "roomId", r.joined_count as "joinedMembers", ${localMembers} as "joinedLocalMembers",
  r.room_version as version, ${creator} as creator, r.is_public as "isPublic",
  ${stateEvents} as "stateEvents", coalesce(${stateContents(types)}, '{}') as state`;

type Params = [
  ...[term: string | null, isPublic: boolean | null, isEmpty: boolean | null],
  ...[limit: number, offset: number],
];
type Row = Omit<RoomFacts, 'roomId'> & { roomId: string | null; total: number };

// What is not ordered or searched by is read for the rooms of the page only.
const pages = new Map<string, Statement<Params, Row>>();
for (const [order, [key, isDescending]] of Object.entries(orders)) {
  for (const direction of ['f', 'b'] as const) {
    const way = isDescending === (direction === 'f') ? 'desc' : 'asc';
    pages.set(
      `${order} ${direction}`,
      statement(
        `list_rooms_by_${order}_${direction}`,
        `with fitting as materialized (
           select r.room_nid, r.room_id, ${key} as key from rooms r
           where ($2::boolean is null or r.is_public = $2)
             and ($3::boolean is null or (r.joined_count = 0) = $3)
             and ($1::text is null or r.room_id = $1
               or strpos(lower(${name}), lower($1)) > 0
               or strpos(lower(split_part(substr(${alias}, 2), ':', 1)), lower($1)) > 0)),
         page as (
           select room_nid, row_number() over (order by key ${way}, room_id ${way}) as nth
           from fitting order by nth limit $4 offset $5)
         select c.total, ${factColumns(listedTypes)}
         from (select count(*)::int as total from fitting) c
           left join page p on true left join rooms r on r.room_nid = p.room_nid
         order by p.nth`,
      ),
    );
  }
}

export interface ListWish {
  /** In names and aliases, or a room id; null: all rooms. */
  term: string | null;
  isPublic: boolean | null;
  isEmpty: boolean | null;
  order: RoomOrder;
  direction: 'f' | 'b';
  limit: number;
  offset: number;
}

/** The rooms that this server knows. */
export const createRoomListStore = (database: Queryable) => ({
  async page({ term, isPublic, isEmpty, order, direction, limit, offset }: ListWish) {
    const params: Params = [term, isPublic, isEmpty, limit, offset];
    const rows = await database.query(pages.get(`${order} ${direction}`)!, params);
    const isRoom = (row: Row): row is Row & RoomFacts => row.roomId !== null;
    return { total: rows[0]!.total, rooms: rows.filter(isRoom) };
  },
});

export type RoomListStore = ReturnType<typeof createRoomListStore>;
