import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** Which connection of which device. */
export interface ConnectionKey {
  userNid: number;
  /** 0: a token without a device. */
  deviceNid: number;
  connId: string;
}

const ofConnection = 'user_nid = $1 and device_nid = $2 and conn_id = $3';

const selectState = statement<
  [userNid: number, deviceNid: number, connId: string, stateId: number],
  { state: string }
>(
  'sliding_sync.state',
  `select state from sliding_sync_connections where ${ofConnection} and state_id = $4`,
);

const insertState = statement<
  [
    userNid: number,
    deviceNid: number,
    connId: string,
    stateId: number,
    state: string,
    writtenTs: number,
    beforeId: number,
  ],
  never
>(
  'sliding_sync.insert_state',
  `with gone as (
     delete from sliding_sync_connections where ${ofConnection} and state_id <> $7)
   insert into sliding_sync_connections
     (user_nid, device_nid, conn_id, state_id, state, written_ts)
     values ($1, $2, $3, $4, $5, $6)
   on conflict (user_nid, device_nid, conn_id, state_id) do update set state = excluded.state`,
);

const deleteOld = statement<[beforeTs: number], never>(
  'sliding_sync.delete_old_states',
  'delete from sliding_sync_connections where written_ts < $1',
);

export function createConnectionStore(database: Queryable) {
  return {
    async state({ userNid, deviceNid, connId }: ConnectionKey, stateId: number) {
      const [row] = await database.query(selectState, [userNid, deviceNid, connId, stateId]);
      return row?.state ?? null;
    },
    /** Keeps the new state and the one before it, for a client that asks again. */
    async put(
      { userNid, deviceNid, connId }: ConnectionKey,
      {
        id,
        beforeId,
        state,
        writtenTs,
      }: { id: number; beforeId: number; state: string; writtenTs: number },
    ): Promise<void> {
      await database.query(insertState, [
        userNid,
        deviceNid,
        connId,
        id,
        state,
        writtenTs,
        beforeId,
      ]);
    },
    async deleteBefore(ts: number): Promise<void> {
      await database.query(deleteOld, [ts]);
    },
  };
}

export type ConnectionStore = ReturnType<typeof createConnectionStore>;
