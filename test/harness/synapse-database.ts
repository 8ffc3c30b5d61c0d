import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { synapseTables } from './synapse-tables.ts';

export type SynapseValue = string | number | boolean | null;

/** A database as Synapse has it, which a test fills. */
export interface SynapseDatabase {
  /** What stands for it in homeserver.yaml, as YAML. */
  yaml: string;
  insert(table: string, rows: readonly Record<string, SynapseValue>[]): Promise<void>;
  /** Nothing more will be written. */
  close(): Promise<void>;
}

const inserting = (table: string, names: readonly string[]) =>
  `insert into ${table} (${names.join(', ')}) values (${names.map((_, i) => `$${i + 1}`).join(', ')})`;

async function filled(
  run: (sql: string, params: SynapseValue[]) => Promise<void>,
  rest: Pick<SynapseDatabase, 'yaml' | 'close'>,
): Promise<SynapseDatabase> {
  for (const [name, columns] of Object.entries(synapseTables)) {
    // oxlint-disable-next-line no-await-in-loop
    await run(`create table ${name} (${columns})`, []);
  }
  return {
    ...rest,
    async insert(table, rows) {
      // oxlint-disable-next-line no-await-in-loop
      for (const row of rows) await run(inserting(table, Object.keys(row)), Object.values(row));
    },
  };
}

export function createSqliteSynapse(path: string): Promise<SynapseDatabase> {
  const database = new DatabaseSync(path);
  return filled(
    async (sql, params) => {
      const given = params.map((value) => (typeof value === 'boolean' ? Number(value) : value));
      database.prepare(sql.replaceAll(/\$(\d+)/g, '?$1')).run(...given);
    },
    {
      yaml: `{name: sqlite3, args: {database: ${path}}}`,
      close: async () => database.close(),
    },
  );
}

/** `connection`: as whom, and where; the database is made. */
export async function createPostgresSynapse(connection: {
  host: string;
  user: string;
}): Promise<SynapseDatabase> {
  const { host, user } = connection;
  const owner = new pg.Client({ host, user, database: 'lattice' });
  await owner.connect();
  await owner.query('create database synapse');
  await owner.end();
  const client = new pg.Client({ host, user, database: 'synapse' });
  await client.connect();
  return filled(async (sql, params) => void (await client.query(sql, params)), {
    yaml: `{name: psycopg2, args: {host: ${host}, user: ${user}, dbname: synapse}}`,
    close: () => client.end(),
  });
}
