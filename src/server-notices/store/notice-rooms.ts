import { statement } from '../../database/statement.ts';

export const selectNoticeRoom = statement<[userNid: number], { roomNid: number; roomId: string }>(
  'server_notices.room_of',
  `select n.room_nid as "roomNid", r.room_id as "roomId"
   from server_notice_rooms n join rooms r on r.room_nid = n.room_nid where n.user_nid = $1`,
);

/** In place of a room that was deleted. No row: somebody was faster. */
export const insertNoticeRoom = statement<
  [userNid: number, roomId: string],
  { roomNid: number; roomId: string }
>(
  'server_notices.add_room',
  `insert into server_notice_rooms (user_nid, room_nid)
     select $1, room_nid from rooms where room_id = $2
   on conflict (user_nid) do update set room_nid = excluded.room_nid
     where not exists (select from rooms r where r.room_nid = server_notice_rooms.room_nid)
   returning room_nid as "roomNid", $2::text as "roomId"`,
);

export const selectIsNoticeRoom = statement<[roomId: string], { userNid: number }>(
  'server_notices.is_notice_room',
  `select n.user_nid as "userNid" from rooms r
     join server_notice_rooms n on n.room_nid = r.room_nid where r.room_id = $1`,
);
