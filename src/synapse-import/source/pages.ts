import type { SourceRow, SourceValue, SynapseSource } from './source.ts';

/** What is read of a table, in the order of a key that is unique. */
export interface Reading {
  /** Columns, each as `expression as name` or a name. The key is among them. */
  columns: string;
  /** The table, with joins. */
  from: string;
  where?: string;
  /** Names of columns of the answer. */
  key: readonly string[];
  /** What they are in the table, where that is another name. */
  keySql?: readonly string[];
}

export const rowsPerPage = 1_000;

/** Reads a table page by page: what is in memory stays bounded. */
export async function* pagesOf(
  source: SynapseSource,
  { columns, from, where = 'true', key, keySql = key }: Reading,
  limit = rowsPerPage,
): AsyncGenerator<SourceRow[]> {
  const order = keySql.join(', ');
  let after: SourceValue[] | null = null;
  for (;;) {
    const places = key.map((_, i) => `$${i + 1}`).join(', ');
    const later = after === null ? 'true' : `(${order}) > (${places})`;
    const sql = `select ${columns} from ${from} where (${where}) and ${later} order by ${order} limit ${limit}`;
    // oxlint-disable-next-line no-await-in-loop -- page by page
    const rows = await source.rows(sql, after ?? []);
    if (rows.length > 0) yield rows;
    if (rows.length < limit) return;
    const last = rows.at(-1)!;
    after = key.map((name) => last[name]!);
  }
}
