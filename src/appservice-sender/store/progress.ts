import type { Database } from '../../database/database.ts';
import { fenceItem, type Fence } from '../../database/fence.ts';
import { statement } from '../../database/statement.ts';

/** An event by numbers. */
export interface EventRef {
  roomNid: number;
  eventNid: number;
}

/** A transaction that may have arrived or not. */
export interface StoredTransaction {
  /** It has everything up to here. */
  uptoPos: number;
  events: readonly EventRef[];
  /** The members of its body beside `events`, as JSON text without braces. */
  rest: string;
}

/** What a service has been sent. */
export interface Progress {
  id: string;
  /** It has everything up to here. */
  pos: number;
  /** Of the newest transaction. */
  txnId: number;
  transaction: StoredTransaction | null;
  /** Milliseconds since 1970; null while it answers. */
  failingSinceTs: number | null;
}

interface ProgressRow {
  id: string;
  pos: number;
  txnId: number;
  txnPos: number | null;
  roomNids: number[] | null;
  eventNids: number[] | null;
  rest: string | null;
  failingSinceTs: number | null;
}

const begin = statement<[ids: string[], pos: number, txnId: number], never>(
  'begin_appservice_progress',
  `insert into appservice_progress (appservice_id, pos, txn_id)
     select id, $2, $3 from unnest($1::text[]) as i(id)
     on conflict (appservice_id) do nothing`,
);

const selectProgress = statement<[ids: string[]], ProgressRow>(
  'select_appservice_progress',
  `select appservice_id as id, pos, txn_id as "txnId", txn_pos as "txnPos",
     txn_room_nids as "roomNids", txn_event_nids as "eventNids", txn_rest as rest,
     failing_since_ts as "failingSinceTs"
   from appservice_progress where appservice_id = any($1)`,
);

type SaveParams = [
  ...[id: string, pos: number, txnId: number, txnPos: number | null],
  ...[roomNids: number[] | null, eventNids: number[] | null, rest: string | null],
  failingSinceTs: number | null,
];

const save = statement<SaveParams, never>(
  'save_appservice_progress',
  `update appservice_progress set pos = $2, txn_id = $3, txn_pos = $4, txn_room_nids = $5::bigint[],
     txn_event_nids = $6::bigint[], txn_rest = $7, failing_since_ts = $8
   where appservice_id = $1`,
);

function progressOf(row: ProgressRow): Progress {
  const { id, pos, txnId, txnPos, roomNids, eventNids, rest, failingSinceTs } = row;
  const transaction =
    txnPos === null
      ? null
      : {
          uptoPos: txnPos,
          events: roomNids!.map((roomNid, i) => ({ roomNid, eventNid: eventNids![i]! })),
          rest: rest!,
        };
  return { id, pos, txnId, transaction, failingSinceTs };
}

/** How far services are. */
export function createProgressStore(database: Database) {
  return {
    /** How far each of the services is; new ones begin at a position and after a transaction id. */
    async take(ids: string[], pos: number, txnId: number): Promise<Progress[]> {
      await database.query(begin, [ids, pos, txnId]);
      return (await database.query(selectProgress, [ids])).map(progressOf);
    },
    /** Throws when a lease is another's by now. */
    async save(progress: readonly Progress[], fences: readonly Fence[]): Promise<void> {
      if (progress.length === 0) return;
      const fence = fenceItem(fences);
      const saves = progress.map(({ id, pos, txnId, transaction, failingSinceTs }) => ({
        statement: save as never,
        params: [
          id,
          pos,
          txnId,
          transaction?.uptoPos ?? null,
          transaction?.events.map(({ roomNid }) => roomNid) ?? null,
          transaction?.events.map(({ eventNid }) => eventNid) ?? null,
          transaction?.rest ?? null,
          failingSinceTs,
        ],
      }));
      await database.batch('appservice sender', fence ? [fence, ...saves] : saves);
    },
  };
}

export type ProgressStore = ReturnType<typeof createProgressStore>;
