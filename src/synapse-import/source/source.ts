import { existsSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import pg from 'pg';

/** A value as both kinds of databases give it: what is true may be 1. */
export type SourceValue = string | number | boolean | null | Buffer;
export type SourceRow = Record<string, SourceValue>;

/** The database of a Synapse, which is only read. */
export interface SynapseSource {
  /** `$1`, `$2` … are parameters. Numbers that need more than 53 bits do not occur. */
  rows(sql: string, params?: readonly SourceValue[]): Promise<SourceRow[]>;
  close(): Promise<void>;
}

/** `database` of homeserver.yaml, as far as it is needed to reach it. */
export type SynapseDatabase =
  | { kind: 'postgresql'; options: pg.ClientConfig }
  | { kind: 'sqlite'; path: string };

const bigintOid = 20;

async function openPostgres(options: pg.ClientConfig): Promise<SynapseSource> {
  const types = {
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === bigintOid ? Number : pg.types.getTypeParser(oid, format),
  } as unknown as pg.CustomTypesConfig;
  const client = new pg.Client({ ...options, types });
  await client.connect();
  // A Synapse that still runs must not change it under us.
  await client.query('begin isolation level repeatable read read only');
  return {
    rows: async (sql, params = []) => (await client.query(sql, [...params])).rows as SourceRow[],
    close: () => client.end(),
  };
}

async function openSqlite(path: string): Promise<SynapseSource> {
  if (!existsSync(path)) throw new Error(`there is no database ${path}`);
  const { DatabaseSync: Database } = await import('node:sqlite');
  const database: DatabaseSync = new Database(path, { readOnly: true });
  database.exec('begin');
  return {
    async rows(sql, params = []) {
      const asked = database.prepare(sql.replaceAll(/\$(\d+)/g, '?$1'));
      const given = params.map((value) => (typeof value === 'boolean' ? Number(value) : value));
      return asked.all(...given).map((row) => {
        const entries = Object.entries(row).map(([name, value]) => [
          name,
          value instanceof Uint8Array ? Buffer.from(value) : value,
        ]);
        return Object.fromEntries(entries) as SourceRow;
      });
    },
    close: async () => database.close(),
  };
}

/** Opens the database, with all that is read from then on as it is now. */
export const openSource = (database: SynapseDatabase): Promise<SynapseSource> =>
  database.kind === 'sqlite' ? openSqlite(database.path) : openPostgres(database.options);
