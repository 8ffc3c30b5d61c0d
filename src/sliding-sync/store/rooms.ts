import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';
import { eventColumns, type StoredEvent } from '../../rooms/module.ts';

/** The to_pos of state that holds now. */
const now = '9223372036854775807';
const entry = 'join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid';
const typeNid = (type: string) => `(select type_nid from event_types where event_type = '${type}')`;
const currentOf = (type: string, columns: string) => `
  (select ${columns} from room_state s ${entry} where s.room_nid = r.room_nid
     and s.type_nid = ${typeNid(type)} and s.state_key = '' and s.to_pos = ${now})`;

/** Events of these types move a room to the top of a list (MSC4186). */
export const bumpTypes: readonly string[] = [
  'm.room.create',
  'm.room.message',
  'm.room.encrypted',
  'm.sticker',
  'm.call.invite',
  'm.poll.start',
  'm.beacon_info',
];

export interface FactsRow {
  roomNid: number;
  /** Position of the newest event that moves the room up; null: none. */
  bumpPos: number | null;
  roomType: string | null;
  isEncrypted: boolean;
}

const selectFacts = statement<[roomNids: number[], bumpTypes: string[]], FactsRow>(
  'sliding_sync.facts',
  `with bump as materialized (
     select array_agg(type_nid) as nids from event_types where event_type = any($2))
   select r.room_nid as "roomNid",
     (select e.pos from events e where e.room_nid = r.room_nid and e.pos is not null
        and e.status = 0 and e.type_nid = any((select nids from bump)::int[])
      order by e.pos desc, e.sub desc limit 1) as "bumpPos",
     ${currentOf('m.room.create', `case when e.content like '%"type":%' then ${readableJson('e.content')} ->> 'type' end`)} as "roomType",
     exists (select from room_state s where s.room_nid = r.room_nid
       and s.type_nid = ${typeNid('m.room.encryption')} and s.state_key = ''
       and s.to_pos = ${now}) as "isEncrypted"
   from unnest($1::bigint[]) as r(room_nid)`,
);

export interface Hero {
  userId: string;
  /** JSON text of the member event's content. */
  content: string;
}

export interface InfoRow {
  roomNid: number;
  joinedCount: number;
  invitedCount: number;
  name: string | null;
  avatar: string | null;
  /** Who the room may be named after; null: it has a name. */
  heroes: Hero[] | null;
}

const heroesMax = 5;

const selectInfos = statement<[roomNids: number[], readerNid: number], InfoRow>(
  'sliding_sync.infos',
  `select i.room_nid as "roomNid", i.joined_count as "joinedCount",
     i.invited_count as "invitedCount", i.name, i.avatar,
     case when i.name is null then (
       select json_agg(json_build_object('userId', u.user_id, 'content', e.content)) from (
         select m.user_nid, m.room_nid, m.event_nid, m.pos,
           m.membership in ('join', 'invite') as is_there
         from memberships m where m.room_nid = i.room_nid and m.user_nid <> $2
           and m.membership <> 'knock'
         order by m.membership in ('join', 'invite') desc, m.pos limit ${heroesMax}) h
       join users u on u.user_nid = h.user_nid
       join events e on e.room_nid = h.room_nid and e.event_nid = h.event_nid
       where h.is_there or i.joined_count + i.invited_count <= 1) end as heroes
   from (
     select r.room_nid, r.joined_count, r.invited_count,
       nullif(${currentOf('m.room.name', `${readableJson('e.content')} ->> 'name'`)}, '') as name,
       nullif(${currentOf('m.room.avatar', `${readableJson('e.content')} ->> 'url'`)}, '') as avatar
     from rooms r where r.room_nid = any($1)) i`,
);

const held = 's.from_pos <= w.at_pos and s.to_pos > w.at_pos and s.from_pos > w.after_pos';

const selectStates = statement<
  [
    entryRooms: number[],
    entryTypes: string[],
    entryKeys: string[],
    entryAt: number[],
    entryAfter: number[],
    typeRooms: number[],
    types: string[],
    typeAt: number[],
    typeAfter: number[],
    allRooms: number[],
    allAt: number[],
    allAfter: number[],
    allMembers: boolean[],
  ],
  StoredEvent
>(
  'sliding_sync.states',
  `select ${eventColumns}
   from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
     as w(room_nid, type, state_key, at_pos, after_pos)
   join event_types t on t.event_type = w.type
   join room_state s on s.room_nid = w.room_nid and s.type_nid = t.type_nid
     and s.state_key = w.state_key and ${held} ${entry}
   union all
   select ${eventColumns}
   from unnest($6::bigint[], $7::text[], $8::bigint[], $9::bigint[])
     as w(room_nid, type, at_pos, after_pos)
   join event_types t on t.event_type = w.type
   join room_state s on s.room_nid = w.room_nid and s.type_nid = t.type_nid and ${held} ${entry}
   union all
   select ${eventColumns}
   from unnest($10::bigint[], $11::bigint[], $12::bigint[], $13::boolean[])
     as w(room_nid, at_pos, after_pos, members)
   join room_state s on s.room_nid = w.room_nid and ${held}
     and (w.members or s.type_nid <> ${typeNid('m.room.member')}) ${entry}`,
);

const selectChildren = statement<[roomIds: string[]], { roomId: string }>(
  'sliding_sync.space_children',
  `select distinct s.state_key as "roomId" from rooms r
     join room_state s on s.room_nid = r.room_nid and s.to_pos = ${now}
       and s.type_nid = ${typeNid('m.space.child')} ${entry}
   where r.room_id = any($1) and e.content like '%"via":[%'`,
);

/** A stretch of a room's state: what holds at `atPos` and began after `afterPos`; -1: whenever. */
export interface StateSpan {
  roomNid: number;
  atPos: number;
  afterPos: number;
}

export interface StatesWanted {
  entries: (StateSpan & { type: string; stateKey: string })[];
  types: (StateSpan & { type: string })[];
  /** Everything; members only where wanted. */
  all: (StateSpan & { members: boolean })[];
}

/** Reads of rooms for sliding sync: a query for all of them. `database` gives names to events. */
export function createRoomStore(database: Queryable) {
  const list = <T, K extends keyof T>(rows: readonly T[], key: K) => rows.map((row) => row[key]);
  return {
    facts: (roomNids: number[]) => database.query(selectFacts, [roomNids, [...bumpTypes]]),
    infos: (roomNids: number[], readerNid: number) =>
      database.query(selectInfos, [roomNids, readerNid]),
    states({ entries, types, all }: StatesWanted): Promise<StoredEvent[]> {
      return database.query(selectStates, [
        list(entries, 'roomNid'),
        list(entries, 'type'),
        list(entries, 'stateKey'),
        list(entries, 'atPos'),
        list(entries, 'afterPos'),
        list(types, 'roomNid'),
        list(types, 'type'),
        list(types, 'atPos'),
        list(types, 'afterPos'),
        list(all, 'roomNid'),
        list(all, 'atPos'),
        list(all, 'afterPos'),
        list(all, 'members'),
      ]);
    },
    /** Ids of the rooms in spaces. */
    async childrenOf(spaceIds: string[]): Promise<string[]> {
      return (await database.query(selectChildren, [spaceIds])).map((row) => row.roomId);
    },
  };
}

export type RoomStore = ReturnType<typeof createRoomStore>;
