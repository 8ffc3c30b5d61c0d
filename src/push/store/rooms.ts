import type { Database } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** What push rules ask about a room. */
export interface RoomRow {
  roomNid: number;
  roomId: string;
  roomVersion: string;
  joinedCount: number;
  /** JSON texts; null: no such event. */
  powerLevels: string | null;
  create: string;
  creator: string;
}

/** A user who is in a room or invited to it. */
export interface AudienceRow {
  roomNid: number;
  userNid: number;
  userId: string;
  membership: string;
  /** Content of the member event. */
  member: string;
  /** Since when the user has been in the room, whatever changed in the profile. */
  sincePos: number;
}

const current = (type: string, columns: string) => `
  (select ${columns} from room_state s
     join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
     join users u on u.user_nid = e.sender_nid
   where s.room_nid = r.room_nid
     and s.type_nid = (select type_nid from event_types where event_type = '${type}')
     and s.state_key = '' and s.to_pos = 9223372036854775807)`;

const selectRooms = statement<[number[]], RoomRow>(
  'push_rooms',
  `select r.room_nid as "roomNid", r.room_id as "roomId", r.room_version as "roomVersion",
     r.joined_count as "joinedCount",
     ${current('m.room.power_levels', 'e.content')} as "powerLevels",
     ${current('m.room.create', 'e.content')} as "create",
     ${current('m.room.create', 'u.user_id')} as creator
   from rooms r where r.room_nid = any($1)`,
);

const audience = (users: string) => `
  select m.room_nid as "roomNid", m.user_nid as "userNid", u.user_id as "userId", m.membership,
     e.content as member,
     (select coalesce(max(s.to_pos) filter (where s.to_pos < 9223372036854775807
           and b.content::json ->> 'membership' <> 'join'), min(s.from_pos), 0)
       from room_state s
         join events b on b.room_nid = s.room_nid and b.event_nid = s.event_nid
       where s.room_nid = m.room_nid
         and s.type_nid = (select type_nid from event_types where event_type = 'm.room.member')
         and s.state_key = u.user_id) as "sincePos"
   from memberships m
     join users u on u.user_nid = m.user_nid
     join events e on e.room_nid = m.room_nid and e.event_nid = m.event_nid
   where m.room_nid = any($1) and m.membership in ('join', 'invite') and m.is_local and ${users}`;

const selectAudience = statement<[number[], number[]], AudienceRow>(
  'push_audience',
  audience('exists (select from pushers p where p.user_nid = m.user_nid and p.shard = any($2))'),
);

const selectSelf = statement<[number[], number], AudienceRow>(
  'push_audience_of_one',
  audience('m.user_nid = $2'),
);

const selectRoomsOfUser = statement<[number], { roomNid: number; membership: string }>(
  'push_rooms_of_user',
  `select room_nid as "roomNid", membership from memberships
   where user_nid = $1 and membership in ('join', 'invite')`,
);

/** What is read about rooms to judge events; each a round trip for all rooms. */
export function createPushRoomStore(database: Database) {
  return {
    rooms: (roomNids: number[]) => database.query(selectRooms, [roomNids]),
    /** Users with pushers in the shards. */
    audience: (roomNids: number[], shards: number[]) =>
      database.query(selectAudience, [roomNids, shards]),
    self: (roomNids: number[], userNid: number) => database.query(selectSelf, [roomNids, userNid]),
    /** Where the user is joined or invited. */
    ofUser: (userNid: number) => database.query(selectRoomsOfUser, [userNid]),
  };
}

export type PushRoomStore = ReturnType<typeof createPushRoomStore>;
