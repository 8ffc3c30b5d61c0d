import { mapping, text } from './kinds.ts';
import type { OptionReader } from './reader.ts';

/** libpq's names → the names of the client used here. */
const renamed: Record<string, string> = {
  dbname: 'database',
  database: 'database',
  user: 'user',
  password: 'password',
  host: 'host',
  port: 'port',
};

/**
 * [database] `{name: psycopg2, args: {…}}` as others write it, or `{url: postgresql://…}`. Null
 * when absent: the server runs a PostgreSQL of its own.
 */
export function readDatabase(reader: OptionReader): Record<string, unknown> | null {
  const fields = reader.take('database', mapping, null);
  if (!fields) return null;
  const url = reader.member('database', fields, 'url', text, null);
  if (url !== null) return { connectionString: url };
  const name = reader.member('database', fields, 'name', text, 'psycopg2');
  if (name !== 'psycopg2' && name !== 'postgresql') {
    reader.problem('database', `name must be psycopg2 (PostgreSQL), not ${name}`);
    return null;
  }
  const args = reader.member('database', fields, 'args', mapping, {});
  const options: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(args)) {
    const option = renamed[key];
    if (option) options[option] = value;
    else if (key === 'sslmode') options['ssl'] = sslOf(String(value));
  }
  if (options['database'] === undefined) reader.problem('database', 'args needs a database');
  return options;
}

function sslOf(mode: string): boolean | { rejectUnauthorized: boolean } {
  if (mode === 'disable' || mode === 'allow' || mode === 'prefer') return false;
  return { rejectUnauthorized: mode !== 'require' };
}
