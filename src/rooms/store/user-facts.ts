import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';
import { eventColumns } from './columns.ts';
import type { Envelope, StoredEvent } from '../stored-event.ts';

const selectMemberships = statement<[userId: string], { roomId: string; membership: string }>(
  'rooms.memberships_of_user',
  `select r.room_id as "roomId", m.membership from memberships m
     join users u on u.user_nid = m.user_nid join rooms r on r.room_nid = m.room_nid
   where u.user_id = $1 order by m.pos`,
);

const isMembership = (name: string) => `${readableJson('e.content')} ->> 'membership' = '${name}'`;

// Rooms of the user one by one: there is no order of events by sender.
const countInvites = statement<[userId: string, sinceTs: number], { count: number }>(
  'rooms.count_invites_of_user',
  `select coalesce(sum(sent.count), 0)::integer as count
   from users u join memberships m on m.user_nid = u.user_nid
     cross join lateral (
       select count(*) from events e
       where e.room_nid = m.room_nid and e.origin_server_ts >= $2 and e.pos is not null
         and e.status = 0 and e.sender_nid = u.user_nid
         and e.type_nid = (select type_nid from event_types where event_type = 'm.room.member')
         and ${isMembership('invite')}) sent
   where u.user_id = $1`,
);

const countJoinedRooms = statement<[userId: string, sinceTs: number], { count: number }>(
  'rooms.count_rooms_joined_by_user',
  `select count(*)::integer as count
   from users u join memberships m on m.user_nid = u.user_nid
   where u.user_id = $1 and exists (
     select from room_state s
       join event_types t on t.type_nid = s.type_nid and t.event_type = 'm.room.member'
       join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
     where s.room_nid = m.room_nid and s.state_key = u.user_id and e.origin_server_ts >= $2
       and ${isMembership('join')})`,
);

const selectKnownEvent = statement<
  [eventId: string],
  StoredEvent & Envelope & { roomId: string; isSoftFailed: boolean }
>(
  'rooms.known_event',
  `select ${eventColumns}, e.envelope, e.content_at as "contentAt",
     e.status = 1 as "isSoftFailed", r.room_id as "roomId"
   from events e join rooms r on r.room_nid = e.room_nid
   where e.event_id = $1 and e.status <> 2`,
);

/** What admins ask about users and events, wherever in the rooms. */
export function createUserFactStore(database: Queryable) {
  return {
    /** All that is known of a user, also of another server. */
    memberships: (userId: string) => database.query(selectMemberships, [userId]),
    /** Invites that the user has sent since a time. */
    async invitesSince(userId: string, sinceTs: number): Promise<number> {
      return (await database.query(countInvites, [userId, sinceTs]))[0]!.count;
    },
    /** Rooms that the user has joined since a time, also those left again. */
    async roomsJoinedSince(userId: string, sinceTs: number): Promise<number> {
      return (await database.query(countJoinedRooms, [userId, sinceTs]))[0]!.count;
    },
    /** An event that was not rejected; null: unknown. */
    async event(eventId: string) {
      return (await database.query(selectKnownEvent, [eventId]))[0] ?? null;
    },
  };
}

export type UserFactStore = ReturnType<typeof createUserFactStore>;
