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

const creator = `(select u.user_id from users u where u.user_nid = (
  select e.sender_nid from ${entries('m.room.create')}))`;
const localMembers = `(select count(*)::int from memberships m
  where m.room_nid = r.room_nid and m.membership = 'join' and m.is_local)`;
const stateEvents = `(select count(*)::int from room_state s
  where s.room_nid = r.room_nid and s.to_pos = ${endless})`;
/** What a list may be in the order of, and whether the greatest come first. */
const orders = {
  name: ['f.name', false],
  alphabetical: ['f.name', false],
  canonical_alias: ['f.canonical_alias', false],
  joined_members: ['r.joined_count', true],
  size: ['r.joined_count', true],
  joined_local_members: [localMembers, true],
  version: ['r.room_version', true],
  creator: ['f.creator', false],
  encryption: ['f.encryption', false],
  federatable: ['f.is_federatable', false],
  public: ['r.is_public', false],
  join_rules: ['f.join_rules', false],
  guest_access: ['f.guest_access', false],
  history_visibility: ['f.history_visibility', false],
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
           select r.room_nid, r.room_id, ${key} as key
           from rooms r left join room_facts f on f.room_nid = r.room_nid
           where ($2::boolean is null or r.is_public = $2)
             and ($3::boolean is null or (r.joined_count = 0) = $3)
             and ($1::text is null or r.room_id = $1
               or strpos(lower(f.name), lower($1)) > 0
               or strpos(lower(split_part(substr(f.canonical_alias, 2), ':', 1)), lower($1)) > 0)),
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

const listed = listedTypes.map((type) => `'${type}'`).join(', ');
/** A member of the content of an entry that `fresh` has under its own name. */
const member = (entry: string, name: string) => `${readableJson(entry)} ->> '${name}'`;
const contentOfType = (type: string) =>
  `max(e.content) filter (where t.event_type = 'm.room.${type}') as "${type}"`;

// In the order of numbers, so that two who do it at once wait for each other.
const takeIn = statement<[uptoPos: number], { count: number }>(
  'take_in_room_facts',
  `with stale as materialized (
     select r.room_nid from rooms r
       where not exists (select from room_facts f where f.room_nid = r.room_nid)
     union
     select s.room_nid from room_state s
       where s.from_pos > (select pos from room_facts_cursor) and s.from_pos <= $1
         and s.state_key = '' and s.type_nid in (
           select type_nid from event_types where event_type in (${listed}))),
   fresh as materialized (
     select w.room_nid,
       max(u.user_id) filter (where t.event_type = 'm.room.create') as creator,
       ${listedTypes.map((type) => contentOfType(type.slice('m.room.'.length))).join(',\n')}
     from stale w
       left join event_types t on t.event_type in (${listed})
       left join room_state s on s.room_nid = w.room_nid and s.type_nid = t.type_nid
         and s.state_key = '' and s.to_pos = ${endless}
       left join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
       left join users u on u.user_nid = e.sender_nid
     group by w.room_nid),
   put as (
     insert into room_facts (room_nid, name, canonical_alias, creator, encryption, is_federatable,
         join_rules, guest_access, history_visibility)
       select room_nid, ${member('name', 'name')}, ${member('canonical_alias', 'alias')}, creator,
         ${member('encryption', 'algorithm')},
         coalesce(${member('"create"', 'm.federate')}, 'true') <> 'false',
         ${member('join_rules', 'join_rule')}, ${member('guest_access', 'guest_access')},
         ${member('history_visibility', 'history_visibility')}
       from fresh order by room_nid
     on conflict (room_nid) do update set (name, canonical_alias, creator, encryption,
         is_federatable, join_rules, guest_access, history_visibility)
       = row(excluded.name, excluded.canonical_alias, excluded.creator, excluded.encryption,
         excluded.is_federatable, excluded.join_rules, excluded.guest_access,
         excluded.history_visibility)),
   moved as (update room_facts_cursor set pos = $1 where pos < $1)
   select count(*)::int as count from stale`,
);

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
  /** Takes in what has changed up to a position, which must be settled. All of it the first time. */
  async takeIn(uptoPos: number): Promise<void> {
    await database.query(takeIn, [uptoPos]);
  },
  async page({ term, isPublic, isEmpty, order, direction, limit, offset }: ListWish) {
    const params: Params = [term, isPublic, isEmpty, limit, offset];
    const rows = await database.query(pages.get(`${order} ${direction}`)!, params);
    const isRoom = (row: Row): row is Row & RoomFacts => row.roomId !== null;
    return { total: rows[0]!.total, rooms: rows.filter(isRoom) };
  },
});

export type RoomListStore = ReturnType<typeof createRoomListStore>;
