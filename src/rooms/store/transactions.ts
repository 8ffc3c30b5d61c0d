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

const selectTransaction = statement<[number, number, string, string], { eventId: string }>(
  'select_sent_transaction',
  `select event_id as "eventId" from sent_transactions
   where user_nid = $1 and device_nid = $2 and txn_id = $3 and scope = $4`,
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
    async eventOf(userNid: number, deviceNid: number, txnId: string, scope: string) {
      const rows = await database.query(selectTransaction, [userNid, deviceNid, txnId, scope]);
      return rows[0]?.eventId ?? null;
    },
    /** Forgets transactions from before a time in milliseconds since 1970. */
    async deleteBefore(createdTs: number) {
      await database.query(deleteTransactions, [createdTs]);
    },
  };
}

export type TransactionStore = ReturnType<typeof createTransactionStore>;
