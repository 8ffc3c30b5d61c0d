import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** A room and what a user is in it. */
export interface AccessRow {
  roomNid: number;
  roomId: string;
  roomVersion: string;
  /** Null: never a member. */
  membership: string | null;
  /** Position of the membership event. */
  pos: number | null;
  isForgotten: boolean | null;
}

/** What a user is in a room, and by which event. */
export interface MemberEventRow {
  membership: string;
  eventId: string;
  sender: string;
}

/** A room that other servers send events of. */
export interface ReceivingRoom {
  roomNid: number;
  roomId: string;
  roomVersion: string;
  /** Whether users of this server are joined to it. */
  isResident: boolean;
}

const selectAccess = statement<[string, number], AccessRow>(
  'select_room_access',
  `select r.room_nid as "roomNid", r.room_id as "roomId", r.room_version as "roomVersion",
     m.membership, m.pos, m.is_forgotten as "isForgotten"
   from rooms r left join memberships m on m.room_nid = r.room_nid and m.user_nid = $2
   where r.room_id = $1`,
);

const selectRoom = statement<[string], { roomNid: number; roomVersion: string }>(
  'select_room_version_by_id',
  `select room_nid as "roomNid", room_version as "roomVersion" from rooms where room_id = $1`,
);

const selectReceivingRooms = statement<[string[]], ReceivingRoom>(
  'select_receiving_rooms',
  `select r.room_nid as "roomNid", r.room_id as "roomId", r.room_version as "roomVersion",
     exists (select from memberships m
       where m.room_nid = r.room_nid and m.membership = 'join' and m.is_local) as "isResident"
   from rooms r where r.room_id = any($1)`,
);

const selectRoomsOfUser = statement<[number, string], { roomId: string }>(
  'select_rooms_of_user',
  `select r.room_id as "roomId" from memberships m join rooms r on r.room_nid = m.room_nid
   where m.user_nid = $1 and m.membership = $2 order by m.pos`,
);

const selectJoinedAmong = statement<[number, string[]], { roomId: string }>(
  'select_joined_among',
  `select r.room_id as "roomId" from rooms r
     join memberships m on m.room_nid = r.room_nid and m.user_nid = $1
   where r.room_id = any($2) and m.membership = 'join'
     and (m.is_local or exists (select from memberships o
       where o.room_nid = m.room_nid and o.membership = 'join' and o.is_local))`,
);

const selectResidentAmong = statement<[string[]], { roomId: string }>(
  'select_resident_among',
  `select r.room_id as "roomId" from rooms r
   where r.room_id = any($1) and exists (select from memberships m
     where m.room_nid = r.room_nid and m.membership = 'join' and m.is_local)`,
);

const selectLocalMembers = statement<[number], { userId: string; userNid: number }>(
  'select_local_members',
  `select u.user_id as "userId", u.user_nid as "userNid" from memberships m
     join users u on u.user_nid = m.user_nid
   where m.room_nid = $1 and m.membership = 'join' and m.is_local`,
);

const selectLocalMemberNids = statement<
  [roomNids: number[], limit: number],
  { roomNid: number; userNid: number }
>(
  'select_local_member_nids',
  `select r.room_nid as "roomNid", m.user_nid as "userNid"
   from unnest($1::bigint[]) as r(room_nid), lateral (
     select user_nid from memberships
     where room_nid = r.room_nid and membership = 'join' and is_local limit $2) as m`,
);

/** Local users of a room who are given at once. */
const localMembersMax = 10_000;

const selectMembers = statement<[number, string], { userId: string; userNid: number }>(
  'select_members_by_membership',
  `select u.user_id as "userId", u.user_nid as "userNid" from memberships m
     join users u on u.user_nid = m.user_nid
   where m.room_nid = $1 and m.membership = $2`,
);

const selectLocalMemberAmong = statement<[number, string[]], { userId: string }>(
  'select_local_member_among',
  `select u.user_id as "userId" from memberships m join users u on u.user_nid = m.user_nid
   where m.room_nid = $1 and m.membership = 'join' and m.is_local and u.user_id = any($2)
   limit 1`,
);

const selectLocalMemberExcept = statement<[number, string[]], { userId: string }>(
  'select_local_member_except',
  `select u.user_id as "userId" from memberships m join users u on u.user_nid = m.user_nid
   where m.room_nid = $1 and m.membership = 'join' and m.is_local and u.user_id <> all($2)
   limit 1`,
);

const selectChanger = statement<[roomNid: number, userNid: number], { userId: string }>(
  'select_changer_of_membership',
  `select u.user_id as "userId" from memberships m join users u on u.user_nid = m.sender_nid
   where m.room_nid = $1 and m.user_nid = $2`,
);

const selectMemberEvent = statement<[roomNid: number, userId: string], MemberEventRow>(
  'select_member_event',
  `select m.membership, e.event_id as "eventId", s.user_id as sender
   from users u
     join memberships m on m.user_nid = u.user_nid and m.room_nid = $1
     join events e on e.room_nid = m.room_nid and e.pos = m.pos and e.state_key = u.user_id
     join users s on s.user_nid = e.sender_nid
   where u.user_id = $2`,
);

const markForgotten = statement<[number, number], { pos: number }>(
  'mark_forgotten',
  `update memberships set is_forgotten = true
   where user_nid = $1 and room_nid = $2 and membership in ('leave', 'ban') returning pos`,
);

const markAllForgotten = statement<[number], { userNid: number }>(
  'mark_all_forgotten',
  `update memberships set is_forgotten = true
   where room_nid = $1 and is_local and membership in ('leave', 'ban') and not is_forgotten
   returning user_nid as "userNid"`,
);

const selectLocalIn = statement<
  [number, string[]],
  { userId: string; userNid: number; membership: string }
>(
  'select_local_members_by_memberships',
  `select u.user_id as "userId", u.user_nid as "userNid", m.membership from memberships m
     join users u on u.user_nid = m.user_nid
   where m.room_nid = $1 and m.is_local and m.membership = any($2) order by m.user_nid`,
);

const selectUnforgotten = statement<[number], { isForgotten: boolean }>(
  'select_is_forgotten_by_all',
  `select not exists (select from memberships
     where room_nid = $1 and is_local and not is_forgotten) as "isForgotten"`,
);

const selectShared = statement<[number, number], { roomNid: number }>(
  'select_shared_room',
  `select a.room_nid as "roomNid" from memberships a join memberships b on b.room_nid = a.room_nid
   where a.user_nid = $1 and a.membership = 'join' and b.user_nid = $2 and b.membership = 'join'
   limit 1`,
);

const selectJoinedRooms = statement<[number[]], { userNid: number; roomNid: number }>(
  'select_joined_rooms_of_users',
  `select user_nid as "userNid", room_nid as "roomNid" from memberships
   where user_nid = any($1) and membership = 'join'`,
);

/** Who is in which room. */
export function createAccessStore(database: Queryable) {
  return {
    async access(roomId: string, userNid: number) {
      return (await database.query(selectAccess, [roomId, userNid]))[0] ?? null;
    },
    /** Null: unknown here. */
    async room(roomId: string) {
      return (await database.query(selectRoom, [roomId]))[0] ?? null;
    },
    /** Those of the rooms that are known here. */
    receivingRooms: (roomIds: string[]) => database.query(selectReceivingRooms, [roomIds]),
    async roomsOf(userNid: number, membership: string): Promise<string[]> {
      const rows = await database.query(selectRoomsOfUser, [userNid, membership]);
      return rows.map((row) => row.roomId);
    },
    /** Those of the rooms that the user is joined to, as far as this server is in them and knows. */
    async joinedAmong(userNid: number, roomIds: string[]): Promise<string[]> {
      const rows = await database.query(selectJoinedAmong, [userNid, roomIds]);
      return rows.map((row) => row.roomId);
    },
    /** Those of the rooms that users of this server are joined to. */
    async residentAmong(roomIds: string[]): Promise<string[]> {
      const rows = await database.query(selectResidentAmong, [roomIds]);
      return rows.map((row) => row.roomId);
    },
    /** Joined users of this server. */
    localMembers: (roomNid: number) => database.query(selectLocalMembers, [roomNid]),
    /** Joined users of this server in each of the rooms, at most 10,000 of one. */
    localMemberNids: (roomNids: readonly number[]) =>
      database.query(selectLocalMemberNids, [[...roomNids], localMembersMax]),
    /** A joined user of this server that is one of these; null: none is. */
    async localMemberAmong(roomNid: number, userIds: string[]): Promise<string | null> {
      const [row] = await database.query(selectLocalMemberAmong, [roomNid, userIds]);
      return row?.userId ?? null;
    },
    /** A joined user of this server that is none of these; null: there is no other. */
    async localMemberExcept(roomNid: number, userIds: string[]): Promise<string | null> {
      const [row] = await database.query(selectLocalMemberExcept, [roomNid, userIds]);
      return row?.userId ?? null;
    },
    members: (roomNid: number, membership: string) =>
      database.query(selectMembers, [roomNid, membership]),
    /** Who has given a user the membership: whose invite it is. Null: never a member. */
    async changerOf(roomNid: number, userNid: number): Promise<string | null> {
      const [row] = await database.query(selectChanger, [roomNid, userNid]);
      return row?.userId ?? null;
    },
    /** The event that gives a user the membership. Null: never a member. */
    async memberEvent(roomNid: number, userId: string): Promise<MemberEventRow | null> {
      return (await database.query(selectMemberEvent, [roomNid, userId]))[0] ?? null;
    },
    /** False when the user is joined, or has never been there. */
    async forget(userNid: number, roomNid: number): Promise<boolean> {
      return (await database.query(markForgotten, [userNid, roomNid])).length > 0;
    },
    /** Those who have left and had not forgotten. */
    async forgetAll(roomNid: number): Promise<number[]> {
      return (await database.query(markAllForgotten, [roomNid])).map(({ userNid }) => userNid);
    },
    /** Whether every user of this server has forgotten the room. */
    isForgottenByAll: async (roomNid: number) =>
      (await database.query(selectUnforgotten, [roomNid]))[0]!.isForgotten,
    /** Users of this server with one of the memberships. */
    localIn: (roomNid: number, memberships: string[]) =>
      database.query(selectLocalIn, [roomNid, memberships]),
    joinedRooms: (userNids: number[]) => database.query(selectJoinedRooms, [userNids]),
    /** Whether two users are joined to the same room. */
    async share(userNid: number, otherNid: number): Promise<boolean> {
      return (await database.query(selectShared, [userNid, otherNid])).length > 0;
    },
  };
}

export type AccessStore = ReturnType<typeof createAccessStore>;
