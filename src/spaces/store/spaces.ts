import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { describingTypes, stateContents } from '../../rooms/module.ts';

/** Rooms of one tree that are looked at; bounds the work of one request. */
const treeRoomsMax = 2_000;
/** Children of one space that are looked at. */
const childrenMax = 1_000;
/** `state` holds nothing else: to_pos of what holds now. */
const now = '9223372036854775807';
const typeNid = (type: string) => `(select type_nid from event_types where event_type = '${type}')`;
const entry = 'join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid';

const selectTree = statement<[rootNids: number[], depthMax: number], { roomNid: number }>(
  'spaces.tree',
  `with recursive tree as (
     select unnest($1::bigint[]) as room_nid, 0 as depth
     union
     select c.room_nid, t.depth + 1 from tree t
       join room_state s on s.room_nid = t.room_nid and s.to_pos = ${now}
         and s.type_nid = ${typeNid('m.space.child')} ${entry}
       join rooms c on c.room_id = s.state_key
     where t.depth < $2::int and e.content like '%"via":[%')
   select distinct room_nid as "roomNid" from (select room_nid from tree limit ${treeRoomsMax}) t`,
);

/** A room's m.space.child event. */
export interface ChildRow {
  stateKey: string;
  /** JSON text. */
  content: string;
  sender: string;
  originServerTs: number;
}

export interface DescribedRow {
  roomNid: number;
  roomId: string;
  roomVersion: string;
  joinedCount: number;
  /** Event type → JSON text of the content of the entry with an empty state key. */
  state: Record<string, string>;
  /** Null: there are none. */
  children: ChildRow[] | null;
  /** The reader's; null: never a member. */
  membership: string | null;
}

const selectDescribed = statement<[roomNids: number[], readerNid: number], DescribedRow>(
  'spaces.described_rooms',
  `select r.room_nid as "roomNid", r.room_id as "roomId", r.room_version as "roomVersion",
     r.joined_count as "joinedCount", m.membership,
     coalesce(${stateContents(describingTypes)}, '{}') as state,
     (select json_agg(json_build_object('stateKey', c.state_key, 'content', c.content,
         'sender', u.user_id, 'originServerTs', c.origin_server_ts))
       from (
         select s.state_key, e.content, e.sender_nid, e.origin_server_ts from room_state s ${entry}
         where s.room_nid = r.room_nid and s.type_nid = ${typeNid('m.space.child')}
           and s.to_pos = ${now} and e.content like '%"via":[%' limit ${childrenMax}) c
       join users u on u.user_nid = c.sender_nid) as children
   from rooms r left join memberships m on m.room_nid = r.room_nid and m.user_nid = $2
   where r.room_nid = any($1) and exists (
     select from memberships l
     where l.room_nid = r.room_nid and l.membership = 'join' and l.is_local)`,
);

/** The server is what follows the first colon of a user id. */
const selectInvited = statement<[roomNids: number[], serverName: string], { roomNid: number }>(
  'spaces.rooms_with_invited_server',
  `select distinct m.room_nid as "roomNid"
   from memberships m join users u on u.user_nid = m.user_nid
   where m.room_nid = any($1) and m.membership = 'invite' and not m.is_local
     and substr(u.user_id, strpos(u.user_id, ':') + 1) = $2`,
);

const selectRoomNids = statement<[roomIds: string[]], { roomId: string; roomNid: number }>(
  'spaces.room_nids',
  'select room_id as "roomId", room_nid as "roomNid" from rooms where room_id = any($1)',
);

const selectMemberships = statement<
  [userNid: number, roomIds: string[]],
  { roomId: string; membership: string }
>(
  'spaces.memberships_among',
  `select r.room_id as "roomId", m.membership from rooms r
     join memberships m on m.room_nid = r.room_nid and m.user_nid = $1
   where r.room_id = any($2)`,
);

const selectRoomNid = statement<[roomId: string], { roomNid: number }>(
  'spaces.room_nid',
  'select room_nid as "roomNid" from rooms where room_id = $1',
);

const selectMutual = statement<
  [aNid: number, bNid: number, afterNid: number, limit: number],
  { roomNid: number; roomId: string; total: number }
>(
  'spaces.mutual_rooms',
  `with shared as (
     select a.room_nid from memberships a
       join memberships b on b.user_nid = $2 and b.room_nid = a.room_nid and b.membership = 'join'
     where a.user_nid = $1 and a.membership = 'join')
   select s.room_nid as "roomNid", r.room_id as "roomId",
     (select count(*)::int from shared) as total
   from shared s join rooms r on r.room_nid = s.room_nid
   where s.room_nid > $3 order by s.room_nid limit $4`,
);

export function createSpaceStore(database: Queryable) {
  return {
    /** Rooms of the trees below rooms, themselves included, in no particular order. */
    async tree(rootNids: number[], depthMax: number): Promise<number[]> {
      const rows = await database.query(selectTree, [rootNids, depthMax]);
      return rows.map((row) => row.roomNid);
    },
    /** Those of the rooms that anybody of this server is in. */
    described: (roomNids: number[], readerNid: number) =>
      database.query(selectDescribed, [roomNids, readerNid]),
    /** Those of the rooms that a user of another server is invited to. */
    async invitedServer(roomNids: number[], serverName: string): Promise<number[]> {
      const rows = await database.query(selectInvited, [roomNids, serverName]);
      return rows.map((row) => row.roomNid);
    },
    /** What a user is in rooms, by room. */
    async memberships(userNid: number, roomIds: string[]): Promise<ReadonlyMap<string, string>> {
      const rows = await database.query(selectMemberships, [userNid, roomIds]);
      return new Map(rows.map((row) => [row.roomId, row.membership]));
    },
    roomNids: (roomIds: string[]) => database.query(selectRoomNids, [roomIds]),
    async roomNid(roomId: string) {
      return (await database.query(selectRoomNid, [roomId]))[0]?.roomNid ?? null;
    },
    /** Rooms that both users are joined to, by number. */
    mutual: (aNid: number, bNid: number, afterNid: number, limit: number) =>
      database.query(selectMutual, [aNid, bNid, afterNid, limit]),
  };
}

export type SpaceStore = ReturnType<typeof createSpaceStore>;
