import { statement } from '../../database/statement.ts';

/** A room as `summaryOf` of rooms takes it, and whether others than members see it. */
export interface CommunityRoomRow {
  roomNid: number;
  roomId: string;
  joinedCount: number;
  /** Event type → JSON text of the content of the entry with an empty state key. */
  state: Record<string, string>;
  isPublic: boolean;
}

/** Rooms that one answer holds; there is no paging in this API. */
const roomsMax = 1_000;

export const selectRooms = statement<[communityNid: number, onlyPublic: boolean], CommunityRoomRow>(
  'communities.rooms',
  `select r.room_nid as "roomNid", r.room_id as "roomId", r.joined_count as "joinedCount",
     c.is_public as "isPublic", coalesce((
       select json_object_agg(t.event_type, e.content) from event_types t
         join room_state s on s.room_nid = r.room_nid and s.type_nid = t.type_nid
           and s.state_key = '' and s.to_pos = 9223372036854775807
         join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
       where t.event_type in ('m.room.create', 'm.room.name', 'm.room.topic', 'm.room.avatar',
         'm.room.canonical_alias', 'm.room.join_rules', 'm.room.history_visibility',
         'm.room.guest_access')), '{}') as state
   from community_rooms c join rooms r on r.room_nid = c.room_nid
   where c.community_nid = $1 and (c.is_public or not $2)
   order by r.joined_count desc, r.room_nid limit ${roomsMax}`,
);

/** No row: this server does not know the room. */
export const upsertRoom = statement<
  [communityNid: number, roomId: string, isPublic: boolean],
  { roomNid: number }
>(
  'communities.set_room',
  `insert into community_rooms (community_nid, room_nid, is_public)
     select $1, room_nid, $3::boolean from rooms where room_id = $2
   on conflict (community_nid, room_nid) do update set is_public = excluded.is_public
   returning room_nid as "roomNid"`,
);

export const deleteRoom = statement<[communityNid: number, roomId: string], object>(
  'communities.remove_room',
  `with featured as (
     delete from community_featured where community_nid = $1 and kind = 'room' and target = $2
   )
   delete from community_rooms
   where community_nid = $1 and room_nid = (select room_nid from rooms where room_id = $2)`,
);
