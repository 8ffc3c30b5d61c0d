import type { Database } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** How long a pusher does not mail about a room. */
export interface Throttle {
  roomNid: number;
  lastSentTs: number;
  throttleMs: number;
}

/** What a mail says about a room beside its events. */
export interface MailRoomRow {
  roomNid: number;
  /** JSON texts; null: no such event. */
  create: string | null;
  avatar: string | null;
  /** Names of some others who are there or invited. */
  others: string[];
}

const selectThrottles = statement<[number], Throttle>(
  'push_mail_throttles',
  `select room_nid as "roomNid", last_sent_ts as "lastSentTs", throttle_ms as "throttleMs"
   from push_mail_throttles where pusher_nid = $1`,
);

const upsertThrottles = statement<[number, number[], number[], number[]], never>(
  'set_push_mail_throttles',
  `insert into push_mail_throttles (pusher_nid, room_nid, last_sent_ts, throttle_ms)
   select $1, v.* from unnest($2::bigint[], $3::bigint[], $4::bigint[]) as v
   on conflict (pusher_nid, room_nid) do update set last_sent_ts = excluded.last_sent_ts,
     throttle_ms = excluded.throttle_ms`,
);

const state = (type: string) => `
  (select c.content from room_state s
     join events c on c.room_nid = s.room_nid and c.event_nid = s.event_nid
   where s.room_nid = r.room_nid
     and s.type_nid = (select type_nid from event_types where event_type = '${type}')
     and s.state_key = '' and s.to_pos = 9223372036854775807)`;

const selectRooms = statement<[number[], number], MailRoomRow>(
  'push_mail_rooms',
  `select r.room_nid as "roomNid", ${state('m.room.create')} as "create",
     ${state('m.room.avatar')} as avatar,
     array(select coalesce(nullif(e.content::json ->> 'displayname', ''), u.user_id)
       from memberships m join users u on u.user_nid = m.user_nid
         join events e on e.room_nid = m.room_nid and e.event_nid = m.event_nid
       where m.room_nid = r.room_nid and m.membership in ('join', 'invite')
         and m.user_nid <> $2 order by m.pos limit 3) as others
   from rooms r where r.room_nid = any($1)`,
);

/** What is read and kept for mails about missed messages. */
export function createMailStore(database: Database) {
  return {
    throttles: (pusherNid: number) => database.query(selectThrottles, [pusherNid]),
    setThrottles: (pusherNid: number, throttles: readonly Throttle[]) =>
      database.query(upsertThrottles, [
        pusherNid,
        throttles.map((one) => one.roomNid),
        throttles.map((one) => one.lastSentTs),
        throttles.map((one) => one.throttleMs),
      ]),
    rooms: (roomNids: number[], userNid: number) =>
      database.query(selectRooms, [roomNids, userNid]),
  };
}

export type MailStore = ReturnType<typeof createMailStore>;
