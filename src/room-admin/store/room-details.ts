import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { factColumns, listedTypes, type RoomFacts } from './room-list.ts';

export interface RoomDetails extends RoomFacts {
  /** Devices of joined users of this server. */
  localDevices: number;
  /** Every user of this server has forgotten the room, or none was ever there. */
  isForgotten: boolean;
}

const types = [...listedTypes, 'm.room.topic', 'm.room.avatar', 'm.room.tombstone'];

const selectDetails = statement<[roomId: string], RoomDetails>(
  'select_room_details',
  `select ${factColumns(types)},
     (select count(*)::int from memberships m join devices d on d.user_nid = m.user_nid
       where m.room_nid = r.room_nid and m.membership = 'join' and m.is_local) as "localDevices",
     not exists (select from memberships m
       where m.room_nid = r.room_nid and m.is_local and not m.is_forgotten) as "isForgotten"
   from rooms r where r.room_id = $1`,
);

const selectMembers = statement<[roomId: string], { userId: string }>(
  'select_joined_members_of_room',
  `select u.user_id as "userId" from rooms r
     join memberships m on m.room_nid = r.room_nid and m.membership = 'join'
     join users u on u.user_nid = m.user_nid
   where r.room_id = $1 order by u.user_id`,
);

/** One room as admins see it. */
export const createRoomDetailStore = (database: Queryable) => ({
  async details(roomId: string): Promise<RoomDetails | null> {
    return (await database.query(selectDetails, [roomId]))[0] ?? null;
  },
  async joinedMembers(roomId: string): Promise<string[]> {
    return (await database.query(selectMembers, [roomId])).map(({ userId }) => userId);
  },
});

export type RoomDetailStore = ReturnType<typeof createRoomDetailStore>;
