import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** An event that waits for its time. Times are milliseconds since 1970. */
export interface DelayedRow {
  delayId: string;
  userId: string;
  roomId: string;
  type: string;
  stateKey: string | null;
  /** JSON text. */
  content: string;
  delayMs: number;
  startedTs: number;
  /** For how long it is sticky once sent, in milliseconds; null: it is not. */
  stickyMs: number | null;
  /** The sender is suspended, or shadow-banned, by now. */
  isSuspended: boolean;
  isShadowBanned: boolean;
}

export interface NewDelayed {
  delayId: string;
  shard: number;
  userNid: number;
  deviceNid: number;
  txnScope: string | null;
  txnId: string | null;
  roomNid: number;
  roomId: string;
  type: string;
  stateKey: string | null;
  content: string;
  delayMs: number;
  stickyMs: number | null;
  nowTs: number;
  /** Most that a user may have waiting. */
  waitingMax: number;
}

const columns = `d.delay_id as "delayId", u.user_id as "userId", d.room_id as "roomId",
  d.event_type as type, d.state_key as "stateKey", d.content, d.delay_ms as "delayMs",
  d.started_ts as "startedTs", d.sticky_ms as "stickyMs",
  coalesce((select a.is_suspended from accounts a where a.user_nid = d.user_nid), false)
    as "isSuspended",
  coalesce((select a.is_shadow_banned from accounts a where a.user_nid = d.user_nid), false)
    as "isShadowBanned"`;

/** Somebody else has set the state since, so that it is not to be set any more. */
const isSuperseded = `(d.state_key is not null and exists (
  select from event_types t
    join room_state s on s.room_nid = d.room_nid and s.type_nid = t.type_nid
      and s.state_key = d.state_key and s.from_pos > d.added_pos
    join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
  where t.event_type = d.event_type and e.sender_nid <> d.user_nid))`;

const isWaiting = `d.finished_ts is null and not d.is_sending and not ${isSuperseded}`;

const insertDelayed = statement<unknown[], { delayId: string; isNew: boolean }>(
  'delayed_events.insert',
  `with known as (
     select delay_id from delayed_events
     where user_nid = $3 and device_nid = $4 and txn_scope = $5 and txn_id = $6),
   added as (
     insert into delayed_events (delay_id, shard, user_nid, device_nid, txn_scope, txn_id, room_nid,
         room_id, event_type, state_key, content, delay_ms, started_ts, send_ts, added_pos, sticky_ms)
       select $1::text, $2::smallint, $3::bigint, $4::bigint, $5::text, $6::text, $7::bigint,
         $8::text, $9::text, $10::text, $11::text, $12::bigint, $13::bigint,
         $13::bigint + $12::bigint, (select last_value from stream_position), $15::bigint
       where not exists (select from known)
         and (select count(*) from delayed_events where user_nid = $3 and finished_ts is null) < $14
     on conflict (user_nid, device_nid, txn_scope, txn_id) where txn_id is not null
       do update set delay_ms = delayed_events.delay_ms
     returning delay_id)
   select delay_id as "delayId", false as "isNew" from known
   union all select delay_id, delay_id = $1 from added`,
);

const selectOfTransaction = statement<
  [userNid: number, deviceNid: number, scope: string, txnId: string],
  { delayId: string }
>(
  'delayed_events.of_transaction',
  `select delay_id as "delayId" from delayed_events
   where user_nid = $1 and device_nid = $2 and txn_scope = $3 and txn_id = $4`,
);

const selectWaiting = statement<[userNid: number], DelayedRow>(
  'delayed_events.waiting',
  `select ${columns} from delayed_events d join users u on u.user_nid = d.user_nid
   where d.user_nid = $1 and ${isWaiting} order by d.send_ts`,
);

const cancel = statement<[delayId: string, nowTs: number], { delayId: string }>(
  'delayed_events.cancel',
  `update delayed_events d set finished_ts = $2, content = ''
   where d.delay_id = $1 and ${isWaiting} returning d.delay_id as "delayId"`,
);

const restart = statement<[delayId: string, nowTs: number], { shard: number; sendTs: number }>(
  'delayed_events.restart',
  `update delayed_events d set started_ts = $2, send_ts = $2 + d.delay_ms
   where d.delay_id = $1 and ${isWaiting} returning d.shard, d.send_ts as "sendTs"`,
);

const take = statement<[delayId: string], DelayedRow>(
  'delayed_events.take',
  `update delayed_events d set is_sending = true from users u
   where d.delay_id = $1 and u.user_nid = d.user_nid and ${isWaiting} returning ${columns}`,
);

const dropSuperseded = statement<[shards: number[], nowTs: number], never>(
  'delayed_events.drop_superseded',
  `update delayed_events d set finished_ts = $2, content = ''
   where d.shard = any($1::smallint[]) and d.finished_ts is null and not d.is_sending
     and d.send_ts <= $2 and ${isSuperseded}`,
);

const takeDue = statement<[shards: number[], nowTs: number, max: number], DelayedRow>(
  'delayed_events.take_due',
  `with due as (
     select delay_id from delayed_events
     where shard = any($1::smallint[]) and finished_ts is null and not is_sending and send_ts <= $2
     order by send_ts limit $3 for update skip locked),
   taken as (
     update delayed_events d set is_sending = true from due
       where d.delay_id = due.delay_id returning d.*)
   select ${columns} from taken d join users u on u.user_nid = d.user_nid order by d.send_ts`,
);

const selectNext = statement<[shards: number[]], { sendTs: number | null }>(
  'delayed_events.next',
  `select min(send_ts) as "sendTs" from delayed_events
   where shard = any($1::smallint[]) and finished_ts is null and not is_sending`,
);

const finish = statement<[delayIds: string[], nowTs: number], never>(
  'delayed_events.finish',
  `update delayed_events set finished_ts = $2, content = '', is_sending = false
   where delay_id = any($1)`,
);

const giveBack = statement<[delayIds: string[], sendTs: number], never>(
  'delayed_events.give_back',
  `update delayed_events set is_sending = false, send_ts = $2
   where delay_id = any($1) and finished_ts is null`,
);

const giveBackShards = statement<[shards: number[]], never>(
  'delayed_events.give_back_shards',
  `update delayed_events set is_sending = false
   where shard = any($1::smallint[]) and is_sending and finished_ts is null`,
);

const deleteUser = statement<[userNid: number], never>(
  'delayed_events.delete_user',
  'delete from delayed_events where user_nid = $1',
);

const forget = statement<[beforeTs: number], never>(
  'delayed_events.forget',
  'delete from delayed_events where finished_ts < $1',
);

/** Events that wait for their time, and those that had it lately. */
export function createDelayedEventStore(database: Queryable) {
  return {
    /** Null: the user has too many. `isNew` false: the request was made before. */
    async add(row: NewDelayed): Promise<{ delayId: string; isNew: boolean } | null> {
      const params = [
        row.delayId,
        row.shard,
        row.userNid,
        row.deviceNid,
        row.txnScope,
        row.txnId,
        row.roomNid,
        row.roomId,
        row.type,
        row.stateKey,
        row.content,
        row.delayMs,
        row.nowTs,
        row.waitingMax,
        row.stickyMs,
      ];
      return (await database.query(insertDelayed, params))[0] ?? null;
    },
    /** The delay that a request has made; null: none. */
    async ofTransaction(
      userNid: number,
      { deviceNid, scope, txnId }: { deviceNid: number | null; scope: string; txnId: string },
    ): Promise<string | null> {
      const params = [userNid, deviceNid ?? 0, scope, txnId] as const;
      return (await database.query(selectOfTransaction, [...params]))[0]?.delayId ?? null;
    },
    waiting: (userNid: number) => database.query(selectWaiting, [userNid]),
    /** False: it does not wait, or never was. */
    cancel: async (delayId: string, nowTs: number) =>
      (await database.query(cancel, [delayId, nowTs])).length > 0,
    /** Its shard and new time; null: it does not wait. */
    restart: async (delayId: string, nowTs: number) =>
      (await database.query(restart, [delayId, nowTs]))[0] ?? null,
    /** Takes one for sending it; null: it does not wait. */
    take: async (delayId: string) => (await database.query(take, [delayId]))[0] ?? null,
    /** Takes those that are due for sending them, in their order. */
    async takeDue(shards: number[], nowTs: number, max: number): Promise<DelayedRow[]> {
      await database.query(dropSuperseded, [shards, nowTs]);
      return database.query(takeDue, [shards, nowTs, max]);
    },
    /** When the next is due; null: none waits. */
    nextTs: async (shards: number[]) =>
      (await database.query(selectNext, [shards]))[0]?.sendTs ?? null,
    finish: (delayIds: string[], nowTs: number) => database.query(finish, [delayIds, nowTs]),
    /** Taken in vain: to be tried again at that time. */
    giveBack: (delayIds: string[], sendTs: number) => database.query(giveBack, [delayIds, sendTs]),
    /** What those who had the shards before were sending may not have been sent. */
    giveBackShards: (shards: number[]) => database.query(giveBackShards, [shards]),
    deleteUser: (userNid: number) => database.query(deleteUser, [userNid]),
    /** Forgets those that finished before a time. */
    forget: (beforeTs: number) => database.query(forget, [beforeTs]),
  };
}

export type DelayedEventStore = ReturnType<typeof createDelayedEventStore>;
