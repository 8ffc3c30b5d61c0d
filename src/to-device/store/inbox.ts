import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { ToDeviceRow } from '../streams.ts';

/** A message that was put into an inbox: the `nth` (from 1) of those given. */
export interface DeliveredRow {
  nth: number;
  userNid: number;
  deviceNid: number;
  pos: number;
}

/**
 * Stands between texts that are sent as one: an array of JSON texts would have to be escaped here
 * and read again there. JSON has no such character.
 */
export const separator = '\u001e';

/**
 * Puts messages into inboxes, unless their transaction has been done before. First the
 * transactions: user, device, event type, id, time of each. Then the messages: number of the
 * transaction (from 1), user, device id or `*`; and the events, with `separator` between them.
 */
export const deliverMessages = statement<
  [
    senderNids: number[],
    senderDeviceNids: number[],
    types: string[],
    txnIds: string[],
    nowTs: number[],
    transactions: number[],
    userNids: number[],
    deviceIds: string[],
    messages: string,
  ],
  DeliveredRow
>(
  'to_device.deliver',
  `with requests as materialized (
     select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
       with ordinality as r(user_nid, device_nid, event_type, txn_id, created_ts, nth)),
   fresh as (
     insert into to_device_transactions (user_nid, device_nid, event_type, txn_id, created_ts)
       select user_nid, device_nid, event_type, txn_id, created_ts from requests
       on conflict do nothing
       returning user_nid, device_nid, event_type, txn_id),
   targets as materialized (
     select t.*, nextval('stream_position') as pos from (
       select d.user_nid, d.device_nid, m.message, m.nth
         from unnest($6::bigint[], $7::bigint[], $8::text[],
             string_to_array($9, '${separator}'))
           with ordinality as m(request, user_nid, device_id, message, nth)
         join requests r on r.nth = m.request
         join fresh f on f.user_nid = r.user_nid and f.device_nid = r.device_nid
           and f.event_type = r.event_type and f.txn_id = r.txn_id
         join devices d on d.user_nid = m.user_nid
           and (d.device_id = m.device_id or m.device_id = '*')
         order by m.nth) t),
   delivered as (
     insert into device_inbox (user_nid, device_nid, pos, message)
       select user_nid, device_nid, pos, message from targets)
   select nth, user_nid as "userNid", device_nid as "deviceNid", pos from targets order by pos`,
);

/** Takes away what devices have got: user, device and newest position of each. */
export const removeAcknowledged = statement<[number[], number[], number[]], never>(
  'to_device.acknowledge',
  `delete from device_inbox i
     using unnest($1::bigint[], $2::bigint[], $3::bigint[]) as a(user_nid, device_nid, pos)
     where i.user_nid = a.user_nid and i.device_nid = a.device_nid and i.pos <= a.pos`,
);

export interface WaitingMessage {
  pos: number;
  message: string;
}

const selectWaiting = statement<[number, number, number, number, number], WaitingMessage>(
  'to_device.waiting',
  `select pos, message from device_inbox
   where user_nid = $1 and device_nid = $2 and pos > $3 and pos <= $4 order by pos limit $5`,
);

/** Positions of the oldest and the newest message in an inbox. */
export interface InboxSpan {
  firstPos: number | null;
  lastPos: number | null;
}

const selectSpan = statement<[number, number], InboxSpan>(
  'to_device.span',
  `select
     (select pos from device_inbox where user_nid = $1 and device_nid = $2
       order by pos limit 1) as "firstPos",
     (select pos from device_inbox where user_nid = $1 and device_nid = $2
       order by pos desc limit 1) as "lastPos"`,
);

const selectStream = statement<[number, number], ToDeviceRow & { pos: number }>(
  'to_device.stream',
  `select pos, user_nid as "userNid", device_nid as "deviceNid", message
   from device_inbox where pos > $1 and pos <= $2 order by pos`,
);

const deleteInboxes = statement<[number, number[]], never>(
  'to_device.delete_inboxes',
  'delete from device_inbox where user_nid = $1 and device_nid = any($2)',
);

const trimInbox = statement<[number, number, number], never>(
  'to_device.trim',
  `delete from device_inbox where user_nid = $1 and device_nid = $2 and pos <= (
     select pos from device_inbox where user_nid = $1 and device_nid = $2
       order by pos desc offset $3 limit 1)`,
);

const sweepInboxes = statement<[], never>(
  'to_device.sweep',
  `delete from device_inbox i where not exists (
     select from devices d where d.user_nid = i.user_nid and d.device_nid = i.device_nid)`,
);

const sweepTransactions = statement<[beforeTs: number], never>(
  'to_device.sweep_transactions',
  'delete from to_device_transactions where created_ts < $1',
);

export function createInboxStore(database: Queryable) {
  return {
    waiting: (
      device: { userNid: number; deviceNid: number },
      afterPos: number,
      uptoPos: number,
      limit: number,
    ) =>
      database.query(selectWaiting, [device.userNid, device.deviceNid, afterPos, uptoPos, limit]),
    async span(userNid: number, deviceNid: number): Promise<InboxSpan> {
      return (await database.query(selectSpan, [userNid, deviceNid]))[0]!;
    },
    /** Rows of the stream, ascending. */
    stream: (afterPos: number, uptoPos: number) =>
      database.query(selectStream, [afterPos, uptoPos]),
    async deleteInboxes(userNid: number, deviceNids: number[]) {
      await database.query(deleteInboxes, [userNid, deviceNids]);
    },
    /** Keeps the newest messages of an inbox only. */
    async trim(userNid: number, deviceNid: number, kept: number) {
      await database.query(trimInbox, [userNid, deviceNid, kept]);
    },
    /** Removes the inboxes of devices that are no more, and old transactions. */
    async sweep(transactionsBeforeTs: number) {
      await database.query(sweepInboxes, []);
      await database.query(sweepTransactions, [transactionsBeforeTs]);
    },
  };
}

export type InboxStore = ReturnType<typeof createInboxStore>;
