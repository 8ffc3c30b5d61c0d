import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { makeFolder } from '../../kernel/make-folder.ts';
import type { Runner } from './run-as.ts';

/** The role that owns everything, reached through the unix socket without a password. */
export const superuser = 'lattice';
export const databaseName = 'lattice';
/** Names the socket file; nothing listens on a network port. */
export const socketPort = 5432;
/** The operating system's limit for the path of a unix socket, less the zero at its end. */
const socketPathMax = 107;

async function initialise(runner: Runner, native: string, data: string): Promise<void> {
  const options = ['-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-instructions'];
  const child = runner.spawn(
    join(native, 'bin', 'initdb'),
    ['-D', data, '-U', superuser, ...options],
    { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' },
  );
  let complaint = '';
  child.stderr!.on('data', (text: Buffer) => (complaint += String(text)));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`initdb failed: ${complaint.trim()}`);
}

/**
 * Makes an empty cluster in `data` when there is none. It gets its name when it is complete, so one
 * that was interrupted is never taken for a cluster.
 */
export async function ensureCluster(runner: Runner, native: string, data: string): Promise<void> {
  if (existsSync(join(data, 'PG_VERSION'))) return;
  const unfinished = `${data}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  await runner.own(unfinished);
  await initialise(runner, native, unfinished);
  await rm(data, { recursive: true, force: true });
  await rename(unfinished, data);
}

/** A folder for the socket: beside the data, or where its path is short enough. */
export async function socketFolderFor(
  base: string,
): Promise<{ folder: string; isTemporary: boolean }> {
  const folder = join(base, 'run');
  if (Buffer.byteLength(join(folder, `.s.PGSQL.${socketPort}`)) <= socketPathMax) {
    await makeFolder(folder);
    return { folder, isTemporary: false };
  }
  return { folder: await mkdtemp(join(tmpdir(), 'lattice-pg-')), isTemporary: true };
}

/** Makes the server's database when it is not there. */
export async function ensureDatabase(connection: pg.ClientConfig): Promise<void> {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [
      databaseName,
    ]);
    if (rowCount === 0) await client.query(`create database ${databaseName}`);
  } finally {
    await client.end();
  }
}
