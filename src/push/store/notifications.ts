import type { Database, Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { eventColumns, type StoredEvent } from '../../rooms/module.ts';

/** An event that a user is to be told of. */
export interface Notification {
  userNid: number;
  pos: number;
  roomNid: number;
  eventNid: number;
  threadId: string | null;
  /** JSON text. */
  actions: string;
}

/** An event that a pusher is to tell of, with what is said about it. */
export interface PendingRow extends StoredEvent {
  pusherNid: number;
  roomId: string;
  actions: string;
  /** When it was judged. */
  ts: number;
  /** The user has read it, or has left the room since. */
  isPast: boolean;
  senderMember: string | null;
  nameContent: string | null;
  aliasContent: string | null;
}

type InsertParams = [
  ...[userNids: number[], positions: number[], roomNids: number[], eventNids: number[]],
  ...[threadIds: (string | null)[], actions: string[], ts: number],
];

const insertNotifications = statement<InsertParams, never>(
  'insert_push_notifications',
  `insert into push_notifications (user_nid, pos, room_nid, event_nid, thread_id, actions, ts)
   select v.*, $7::bigint from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
     $5::text[], $6::text[]) as v
   on conflict do nothing`,
);

const moveProgress = statement<[number[], number], never>(
  'move_push_progress',
  `insert into push_progress as p (shard, pos) select unnest($1::smallint[]), $2::bigint
   on conflict (shard) do update set pos = greatest(p.pos, excluded.pos)`,
);

/** The users are from now on judged with their shard. */
const clearStarts = statement<[number[], number], never>(
  'clear_pusher_starts',
  'update pushers set start_pos = null where user_nid = any($1) and start_pos <= $2',
);

const selectProgress = statement<[number[]], { shard: number; pos: number }>(
  'push_progress',
  'select shard, pos from push_progress where shard = any($1)',
);

const selectWaiting = statement<[number[]], { pusherNid: number }>(
  'pushers_with_notifications',
  `select p.pusher_nid as "pusherNid" from pushers p where p.shard = any($1) and exists (
     select from push_notifications n where n.user_nid = p.user_nid and n.pos > p.pos)`,
);

const state = (type: string, stateKey: string) => `
  (select c.content from room_state s
     join events c on c.room_nid = s.room_nid and c.event_nid = s.event_nid
   where s.room_nid = n.room_nid
     and s.type_nid = (select type_nid from event_types where event_type = '${type}')
     and s.state_key = ${stateKey} and s.to_pos = 9223372036854775807)`;

const isPast = `(
    e.redacted_by is not null
    or exists (select from receipts c where c.room_nid = n.room_nid and c.user_nid = w.user_nid
      and c.receipt_type in ('m.read', 'm.read.private')
      and c.thread_id in ('', coalesce(n.thread_id, 'main')) and c.event_pos >= n.pos)
    or not exists (select from memberships m where m.user_nid = w.user_nid
      and m.room_nid = n.room_nid and m.membership in ('join', 'invite')))`;

const selectPending = statement<[number[], number[], number[], number[]], PendingRow>(
  'pending_push_notifications',
  `select ${eventColumns}, w.nid as "pusherNid", r.room_id as "roomId", n.actions, n.ts,
     ${isPast} as "isPast",
     ${state('m.room.member', '(select user_id from users where user_nid = e.sender_nid)')}
       as "senderMember",
     ${state('m.room.name', "''")} as "nameContent",
     ${state('m.room.canonical_alias', "''")} as "aliasContent"
   from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::integer[])
     as w(nid, user_nid, after_pos, most)
   cross join lateral (select * from push_notifications n
     where n.user_nid = w.user_nid and n.pos > w.after_pos order by n.pos limit w.most) n
   join events e on e.room_nid = n.room_nid and e.event_nid = n.event_nid
   join rooms r on r.room_nid = n.room_nid
   order by w.nid, n.pos`,
);

const forget = statement<[number], never>(
  'forget_push_notifications',
  'delete from push_notifications where ts < $1',
);

type PageParams = [userNid: number, beforePos: number, limit: number];
const selectEvents = statement<PageParams, StoredEvent & { roomId: string; isRead: boolean }>(
  'push_events_of_user',
  `select ${eventColumns}, r.room_id as "roomId",
     exists (select from receipts c where c.room_nid = e.room_nid and c.user_nid = $1
       and c.receipt_type in ('m.read', 'm.read.private') and c.event_pos >= e.pos
       and c.thread_id in ('', case when e.content::json #>> '{m.relates_to,rel_type}' = 'm.thread'
         then e.content::json #>> '{m.relates_to,event_id}' else 'main' end)) as "isRead"
   from (select e.* from memberships m
     cross join lateral (select * from events e where e.room_nid = m.room_nid and e.pos < $2
       and e.sub = 0 and e.status = 0 and e.sender_nid <> $1 and e.redacted_by is null
       order by e.pos desc limit $3) e
     where m.user_nid = $1 and m.membership in ('join', 'invite')
     order by e.pos desc limit $3) e
   join rooms r on r.room_nid = e.room_nid order by e.pos desc`,
);

const selectAfter = statement<[number, number, number], StoredEvent>(
  'push_events_after',
  `select ${eventColumns} from events e
   where e.pos > $1 and e.pos <= $2 and e.sub = 0 and e.status = 0 order by e.pos limit $3`,
);

const lane = 'push';

export interface WantedPending {
  pusherNid: number;
  userNid: number;
  /** After this position. */
  pos: number;
  /** So many. */
  most: number;
}

/** `events` puts in names: `withEventNames`. */
export function createNotificationStore(database: Database, events: Queryable) {
  return {
    progress: (shards: number[]) => database.query(selectProgress, [shards]),
    /** Those of the shards' pushers that have something to tell. */
    waiting: (shards: number[]) => database.query(selectWaiting, [shards]),
    /** Keeps what was judged up to a position, in one transaction. */
    async keep(
      found: readonly Notification[],
      done: { shards: number[]; pos: number; newUserNids: number[]; ts: number },
    ): Promise<void> {
      await database.batch(lane, [
        {
          statement: insertNotifications as never,
          params: [
            found.map((one) => one.userNid),
            found.map((one) => one.pos),
            found.map((one) => one.roomNid),
            found.map((one) => one.eventNid),
            found.map((one) => one.threadId),
            found.map((one) => one.actions),
            done.ts,
          ],
        },
        { statement: moveProgress as never, params: [done.shards, done.pos] },
        { statement: clearStarts as never, params: [done.newUserNids, done.pos] },
      ]);
    },
    /** The next ones of each pusher, by position; one round trip. */
    pending: (pushers: readonly WantedPending[]) =>
      events.query(selectPending, [
        pushers.map((one) => one.pusherNid),
        pushers.map((one) => one.userNid),
        pushers.map((one) => one.pos),
        pushers.map((one) => one.most),
      ]),
    forget: (beforeTs: number) => database.query(forget, [beforeTs]),
    /** Live events after a position, in order. */
    eventsAfter: (afterPos: number, uptoPos: number, most: number) =>
      events.query(selectAfter, [afterPos, uptoPos, most]),
    /** Others' events in the user's rooms, newest first. */
    eventsBefore: (userNid: number, pos: number, most: number) =>
      events.query(selectEvents, [userNid, pos, most]),
  };
}

export type NotificationStore = ReturnType<typeof createNotificationStore>;
