import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { ThreadSubscription, ThreadSubscriptionRow } from '../streams.ts';

export interface ChangedRow {
  /** Null: all was so already. */
  pos: number | null;
  sincePos: number;
  /** The user has unsubscribed after the event that an automatic subscription is due to. */
  isConflict: boolean;
}

/**
 * Subscribes a user. `causePos`: where the event is to which an automatic subscription is due; null:
 * the user has asked for it. One row, or none when an equal request was faster.
 */
export const subscribe = statement<
  [userNid: number, roomNid: number, threadId: string, causePos: number | null],
  ChangedRow
>(
  'subscribe_to_thread',
  `with drawn as materialized (select nextval('stream_position') as pos),
   known as (
     select is_subscribed, is_automatic, since_pos from thread_subscriptions
       where user_nid = $1 and room_nid = $2 and thread_id = $3),
   changed as (
     insert into thread_subscriptions as t
         (user_nid, room_nid, thread_id, is_subscribed, is_automatic, since_pos, pos)
       select $1::bigint, $2::bigint, $3::text, true, $4::bigint is not null, pos, pos from drawn
     on conflict (user_nid, room_nid, thread_id) do update set
       is_subscribed = true, is_automatic = excluded.is_automatic, pos = excluded.pos,
       since_pos = case when t.is_subscribed then t.since_pos else excluded.since_pos end
     where case when t.is_subscribed then t.is_automatic and not excluded.is_automatic
       else not excluded.is_automatic or t.since_pos < $4 end
     returning pos, since_pos)
   select c.pos, coalesce(c.since_pos, k.since_pos, 0) as "sincePos",
     c.pos is null and k.is_subscribed is false as "isConflict"
   from (select 1) one left join changed c on true left join known k on true`,
);

export const unsubscribe = statement<
  [userNid: number, roomNid: number, threadId: string],
  { pos: number }
>(
  'unsubscribe_from_thread',
  `update thread_subscriptions t
     set is_subscribed = false, is_automatic = false, since_pos = drawn.pos, pos = drawn.pos
   from (select nextval('stream_position') as pos) drawn
   where t.user_nid = $1 and t.room_nid = $2 and t.thread_id = $3 and t.is_subscribed
   returning t.pos`,
);

const columns = `
  t.room_nid as "roomNid", r.room_id as "roomId", t.thread_id as "threadId",
  t.is_subscribed as "isSubscribed", t.is_automatic as "isAutomatic", t.since_pos as "sincePos"`;

const selectOne = statement<[number, number, string], { isAutomatic: boolean }>(
  'select_thread_subscription',
  `select is_automatic as "isAutomatic" from thread_subscriptions
   where user_nid = $1 and room_nid = $2 and thread_id = $3 and is_subscribed`,
);

const selectInRooms = statement<[number, number[]], ThreadSubscription>(
  'select_thread_subscriptions_in_rooms',
  `select ${columns} from thread_subscriptions t join rooms r on r.room_nid = t.room_nid
   where t.user_nid = $1 and t.room_nid = any($2) and t.is_subscribed`,
);

const selectOfUsers = statement<[number[], number[]], ThreadSubscription & { userNid: number }>(
  'select_thread_subscriptions_of_users',
  `select ${columns}, t.user_nid as "userNid"
   from thread_subscriptions t join rooms r on r.room_nid = t.room_nid
   where t.user_nid = any($1) and t.room_nid = any($2) and t.is_subscribed`,
);

const selectChanges = statement<
  [number, number, number, number],
  ThreadSubscription & { pos: number }
>(
  'select_thread_subscription_changes',
  `select ${columns}, t.pos from thread_subscriptions t join rooms r on r.room_nid = t.room_nid
   where t.user_nid = $1 and t.pos > $2 and t.pos <= $3 order by t.pos desc limit $4`,
);

const selectStream = statement<[number, number], ThreadSubscriptionRow & { pos: number }>(
  'select_thread_subscription_stream',
  `select ${columns}, t.user_nid as "userNid", t.pos
   from thread_subscriptions t join rooms r on r.room_nid = t.room_nid
   where t.pos > $1 and t.pos <= $2 order by t.pos`,
);

const deleteAll = statement<[number], never>(
  'delete_thread_subscriptions',
  'delete from thread_subscriptions where user_nid = $1',
);

export function createThreadSubscriptionStore(database: Queryable) {
  return {
    /** Null: the user does not subscribe to the thread. */
    async subscription(userNid: number, roomNid: number, threadId: string) {
      return (await database.query(selectOne, [userNid, roomNid, threadId]))[0] ?? null;
    },
    /** What a user subscribes to. */
    inRooms: (userNid: number, roomNids: number[]) =>
      database.query(selectInRooms, [userNid, roomNids]),
    /** The same of several users. */
    ofUsers: (userNids: number[], roomNids: number[]) =>
      database.query(selectOfUsers, [userNids, roomNids]),
    /** The newest changes between two positions, newest first; the second is inclusive. */
    changes: (userNid: number, afterPos: number, uptoPos: number, limit: number) =>
      database.query(selectChanges, [userNid, afterPos, uptoPos, limit]),
    /** Rows of the stream again. */
    stream: (afterPos: number, uptoPos: number) =>
      database.query(selectStream, [afterPos, uptoPos]),
    deleteAll: (userNid: number) => database.query(deleteAll, [userNid]),
  };
}

export type ThreadSubscriptionStore = ReturnType<typeof createThreadSubscriptionStore>;
