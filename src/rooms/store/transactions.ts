import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

const selectTransactions = statement<
  [number, number, number],
  { scope: string; txnId: string; eventId: string }
>(
  'select_sent_transactions',
  `select scope, txn_id as "txnId", event_id as "eventId" from sent_transactions
   where user_nid = $1 and device_nid = $2 order by created_ts desc limit $3`,
);

const selectAppended = statement<
  [number, number, string, string, number],
  { eventId: string; pos: number }
>(
  'select_appended',
  // Events of one request follow each other in their room.
  `select later.event_id as "eventId", later.pos from sent_transactions t
     join events first on first.event_id = t.event_id
     cross join lateral (
       select event_id, pos from events e
         where e.room_nid = first.room_nid and e.pos >= first.pos order by e.pos, e.sub limit $5) later
     where t.user_nid = $1 and t.device_nid = $2 and t.txn_id = $3 and t.scope = $4`,
);

const deleteTransactions = statement<[number], never>(
  'delete_old_transactions',
  'delete from sent_transactions where created_ts < $1',
);

export function createTransactionStore(database: Queryable) {
  return {
    /** A device's newest transactions. */
    ofDevice: (userNid: number, deviceNid: number, limit: number) =>
      database.query(selectTransactions, [userNid, deviceNid, limit]),
    /** The events, `count` of them, that a request with a transaction id has appended; or none. */
    appended: (
      userNid: number,
      key: { deviceNid: number; txnId: string; scope: string },
      count: number,
    ) => database.query(selectAppended, [userNid, key.deviceNid, key.txnId, key.scope, count]),
    /** Forgets transactions from before a time in milliseconds since 1970. */
    async deleteBefore(createdTs: number) {
      await database.query(deleteTransactions, [createdTs]);
    },
  };
}

export type TransactionStore = ReturnType<typeof createTransactionStore>;
