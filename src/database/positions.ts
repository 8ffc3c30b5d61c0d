import type { Queryable } from './database.ts';
import { statement } from './statement.ts';

const selectPosition = statement<[], { pos: number }>(
  'select_stream_position',
  'select case when is_called then last_value else 0 end as pos from stream_position',
);

/** The newest position that has been drawn. */
export async function lastStreamPosition(database: Queryable): Promise<number> {
  return (await database.query(selectPosition, []))[0]!.pos;
}

/** Name, as PostgreSQL knows it, of connections on which positions are drawn. */
export const committingName = 'lattice commit';

const selectCommitting = statement<[], { transaction: string }>(
  'select_committing',
  `select pid || ' ' || extract(epoch from xact_start) as transaction from pg_stat_activity
     where datname = current_database() and application_name = '${committingName}'
       and xact_start is not null and state <> 'idle'`,
);

/** The transactions under way that may draw, or have drawn, positions. */
export async function committingTransactions(database: Queryable): Promise<Set<string>> {
  const rows = await database.query(selectCommitting, []);
  return new Set(rows.map(({ transaction }) => transaction));
}

const settlePollMs = 5;
/** A connection that sends nothing for longer, within a transaction, is ended by PostgreSQL. */
export const committingMsMax = 2_000;

/**
 * The newest position that has been drawn, once every transaction that may have drawn it or one
 * before it has ended: rows up to it that are not there will never be.
 */
export async function settledPosition(database: Queryable): Promise<number> {
  const position = await lastStreamPosition(database);
  const earlier = await committingTransactions(database);
  while (earlier.size > 0) {
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setTimeout(resolve, settlePollMs));
    // oxlint-disable-next-line no-await-in-loop
    const now = await committingTransactions(database);
    for (const transaction of earlier) if (!now.has(transaction)) earlier.delete(transaction);
  }
  return position;
}
