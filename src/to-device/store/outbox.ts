import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** A message that waits for devices of another server. */
export interface OutboxMessage {
  pos: number;
  /** JSON text of an `m.direct_to_device` EDU. */
  edu: string;
}

/**
 * Puts messages into the outbox, unless their transaction has been done before; to come before
 * `deliverMessages`, which notes transactions. First the transactions: user, device, event type, id
 * and time of each. Then the messages: number of the transaction (from 1), server and EDU.
 */
export const queueMessages = statement<
  [
    senderNids: number[],
    senderDeviceNids: number[],
    types: string[],
    txnIds: string[],
    nowTs: number[],
    transactions: number[],
    serverNames: string[],
    edus: string[],
  ],
  { pos: number; serverName: string }
>(
  'to_device.queue',
  `with fresh as materialized (
     select r.nth, r.created_ts
     from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
       with ordinality as r(user_nid, device_nid, event_type, txn_id, created_ts, nth)
     where not exists (select from to_device_transactions t
       where t.user_nid = r.user_nid and t.device_nid = r.device_nid
         and t.event_type = r.event_type and t.txn_id = r.txn_id))
   insert into to_device_outbox (server_name, pos, created_ts, edu)
     select server_name, nextval('stream_position'), created_ts, edu from (
       select m.server_name, f.created_ts, m.edu
       from unnest($6::bigint[], $7::text[], $8::text[])
         with ordinality as m(request, server_name, edu, nth)
       join fresh f on f.nth = m.request order by m.nth) w
     returning pos, server_name as "serverName"`,
);

const selectWaiting = statement<[serverName: string, limit: number], OutboxMessage>(
  'to_device.outbox_waiting',
  `select pos, edu from to_device_outbox where server_name = $1 order by pos limit $2`,
);

// Servers are few and messages may be many: one step through the index for each server.
const selectServers = statement<[], { serverName: string }>(
  'to_device.outbox_servers',
  `with recursive servers as (
     (select server_name from to_device_outbox order by server_name limit 1)
     union all
     select (select o.server_name from to_device_outbox o where o.server_name > s.server_name
       order by o.server_name limit 1)
     from servers s where s.server_name is not null)
   select server_name as "serverName" from servers where server_name is not null`,
);

const selectStream = statement<[number, number], { pos: number; serverName: string }>(
  'to_device.outbox_stream',
  `select pos, server_name as "serverName" from to_device_outbox
   where pos > $1 and pos <= $2 order by pos`,
);

const deleteSent = statement<[positions: number[]], never>(
  'to_device.outbox_sent',
  'delete from to_device_outbox where pos = any($1)',
);

const deleteOld = statement<[beforeTs: number], never>(
  'to_device.outbox_forget',
  'delete from to_device_outbox where created_ts < $1',
);

export function createOutboxStore(database: Queryable) {
  return {
    /** The oldest, at most `limit`. */
    waiting: (serverName: string, limit: number) =>
      database.query(selectWaiting, [serverName, limit]),
    /** Servers that something waits for. */
    async servers(): Promise<string[]> {
      const rows = await database.query(selectServers, []);
      return rows.map(({ serverName }) => serverName);
    },
    stream: (afterPos: number, uptoPos: number) =>
      database.query(selectStream, [afterPos, uptoPos]),
    async sent(positions: readonly number[]): Promise<void> {
      await database.query(deleteSent, [[...positions]]);
    },
    /** Deletes what was put in before a time. */
    forget: (beforeTs: number) => database.query(deleteOld, [beforeTs]),
  };
}

export type OutboxStore = ReturnType<typeof createOutboxStore>;
