import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';

/** A numbered SQL file of `migrations/`. */
export interface Migration {
  name: string;
  sql: string;
  checksum: string;
}

/** The schema in the database is not one that this program can work with. */
export class SchemaMismatch extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SchemaMismatch';
  }
}

/** Applied just now: the schema has been made. */
export const firstMigration = '0001-core.sql';

const folder = join(import.meta.dirname, 'migrations');

/** All migrations, in order. */
export async function readMigrations(): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(folder, name), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex').slice(0, 16) };
    }),
  );
}

/** Held while migrations run, so that one process at a time runs them. */
const migrationLock = 7_106_402_001;

interface Applied {
  name: string;
  checksum: string;
}

function check(known: readonly Migration[], applied: readonly Applied[]): Migration[] {
  const byName = new Map(known.map((migration) => [migration.name, migration]));
  for (const { name, checksum } of applied) {
    const migration = byName.get(name);
    if (!migration) {
      throw new SchemaMismatch(
        `the database has migration ${name}, which this version of Lattice does not know: ` +
          'it was used by a newer version',
      );
    }
    if (migration.checksum !== checksum) {
      throw new SchemaMismatch(
        `migration ${name} was applied with other contents than this version of Lattice has`,
      );
    }
  }
  const done = new Set(applied.map(({ name }) => name));
  return known.filter(({ name }) => !done.has(name));
}

/** Refuses a database that is another program's, before anything is changed in it. */
async function checkOwner(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{
    isOurs: boolean;
    isSynapse: boolean;
    table: string | null;
  }>(
    `select to_regclass('schema_migrations') is not null as "isOurs",
       to_regclass('applied_schema_deltas') is not null as "isSynapse",
       (select tablename from pg_tables where schemaname = current_schema()
          and tablename in ('events', 'rooms', 'users') order by 1 limit 1) as "table"`,
  );
  const { isOurs, isSynapse, table } = rows[0]!;
  if (isOurs || table === null) return;
  throw new SchemaMismatch(
    isSynapse
      ? 'the database is Synapse’s, which cannot be taken over: make an empty one for Lattice'
      : `the database has a table "${table}" of another program: make an empty one for Lattice`,
  );
}

/**
 * Brings the schema up to date: each pending migration in its own transaction, under a lock. Gives
 * the names of those that were applied. Throws SchemaMismatch for a schema from another version or program, and an
 * Error when the database cannot be reached.
 */
export async function migrate(connection: pg.ClientConfig): Promise<string[]> {
  const known = await readMigrations();
  const client = new pg.Client(connection);
  await client.connect().catch((error: Error) => {
    throw new Error(`the database cannot be reached: ${error.message}`, { cause: error });
  });
  try {
    await client.query('select pg_advisory_lock($1)', [migrationLock]);
    await checkOwner(client);
    await client.query(
      `create table if not exists schema_migrations (
         name text primary key, checksum text not null, applied_at timestamptz not null default now())`,
    );
    const { rows } = await client.query<Applied>('select name, checksum from schema_migrations');
    const pending = check(known, rows);
    for (const { name, sql, checksum } of pending) {
      // Each stands on the one before it.
      // oxlint-disable-next-line no-await-in-loop
      await client.query('begin');
      // oxlint-disable-next-line no-await-in-loop
      await client.query(sql);
      // oxlint-disable-next-line no-await-in-loop
      await client.query('insert into schema_migrations (name, checksum) values ($1, $2)', [
        name,
        checksum,
      ]);
      // oxlint-disable-next-line no-await-in-loop
      await client.query('commit');
    }
    return pending.map(({ name }) => name);
  } finally {
    await client.end();
  }
}
