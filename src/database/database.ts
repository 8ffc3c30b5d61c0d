import type { Statement } from './statement.ts';
import type { AnyStatement, BatchItem } from './statement-batch.ts';

export type { BatchItem } from './statement-batch.ts';

/** Runs statements inside one transaction, or on one connection. */
export interface Queryable {
  query<P extends readonly unknown[], R>(statement: Statement<P, R>, params: P): Promise<R[]>;
}

/**
 * The database as the domains' `store/` folders see it. `query` is for single auto-commit
 * statements, reads above all: it goes over a few pipelined connections, so that the queries of
 * different requests share round trips. `transaction` takes a connection from a pool.
 * bigint columns arrive as numbers (all ids stay below 2^53).
 */
export interface Database extends Queryable {
  /** Commits when `work` resolves, rolls back when it throws. Serialization failures are retried. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  /**
   * Runs statements as one transaction in one round trip, on a dedicated connection of the caller's
   * `lane`. Lanes are created on first use; calls on one lane run in order. Resolves with the rows of each statement; if any fails,
   * nothing is kept and the first error is thrown.
   */
  batch(lane: string, work: readonly BatchItem[]): Promise<unknown[][]>;
  close(): Promise<void>;
}

/** Runs statements one by one on a dedicated connection, for those that take long. */
export const ownLane = (database: Database, lane: string): Queryable => ({
  async query(statement, params) {
    const [rows] = await database.batch(lane, [{ statement: statement as AnyStatement, params }]);
    return rows as never;
  },
});

/** Whether a write was refused because a unique key is taken; `constraint`: by this one. */
export function isDuplicate(error: unknown, constraint?: string): boolean {
  if (!(error instanceof Error) || !('code' in error) || error.code !== '23505') return false;
  return constraint === undefined || ('constraint' in error && error.constraint === constraint);
}
