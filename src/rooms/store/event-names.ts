import type { Queryable } from '../../database/database.ts';
import type { Interned } from './interned.ts';

/** A row of `eventColumns` as the database gives it: names are numbers. */
interface NumberedRow {
  typeNid: number;
  senderNid: number;
  type: string | null;
  sender: string | null;
}

function isNumbered(row: unknown): row is NumberedRow {
  return typeof row === 'object' && row !== null && 'typeNid' in row;
}

/** Fills in the names that are in memory; gives the numbers of those that are not. */
function fill(rows: readonly NumberedRow[], interned: Interned) {
  const types = new Set<number>();
  const users = new Set<number>();
  for (const row of rows) {
    row.type ??= interned.cachedTypeName(row.typeNid) ?? null;
    row.sender ??= interned.cachedUserId(row.senderNid) ?? null;
    if (row.type === null) types.add(row.typeNid);
    if (row.sender === null) users.add(row.senderNid);
  }
  return { types: [...types], users: [...users] };
}

/**
 * Runs statements whose rows are events (`eventColumns`) and puts the names of types and senders
 * in, out of memory: joining them in the database would cost two look-ups a row.
 */
export function withEventNames(database: Queryable, interned: Interned): Queryable {
  return {
    async query(statement, params) {
      const rows = await database.query(statement, params);
      if (!isNumbered(rows[0])) return rows;
      const numbered = rows as unknown as NumberedRow[];
      const missing = fill(numbered, interned);
      if (missing.types.length > 0 || missing.users.length > 0) {
        await interned.loadNames(missing);
        fill(numbered, interned);
      }
      return rows;
    },
  };
}
