import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { totalmem, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import pg from 'pg';
import { linkLibraries, locatePostgres } from './install.ts';
import { createRunner, type Runner } from './run-as.ts';

/** What the supervisor tells; a part of the server's log. */
export interface SupervisorLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export interface EmbeddedPostgres {
  /** How to connect, through a unix socket. */
  connection: pg.ClientConfig;
  /** Process id of the server now. */
  pid(): number;
  /** Stops it; transactions under way are rolled back. */
  close(): Promise<void>;
}

const user = 'lattice';
const database = 'lattice';
/** Paths of unix sockets are limited by the operating system. */
const socketPathMax = 100;
/** Recovery after a crash may take long. */
const startAttempts = 4_800;
const startPauseMs = 25;
/** Pause before it is started again, so that one that cannot start does not use up the machine. */
const restartPauseMs = 200;
const stopWaitMs = 20_000;

const megabyte = 1024 * 1024;

function settings(socketFolder: string): string {
  const buffers = Math.max(32, Math.min(512, Math.floor(totalmem() / megabyte / 16)));
  return [
    "listen_addresses = ''",
    `unix_socket_directories = '${socketFolder.replaceAll("'", "''")}'`,
    'unix_socket_permissions = 0700',
    'max_connections = 60',
    `shared_buffers = ${buffers}MB`,
    'fsync = on',
    'synchronous_commit = on',
    'full_page_writes = on',
    'max_wal_size = 1GB',
    'checkpoint_timeout = 15min',
    'jit = off',
    'random_page_cost = 1.1',
    'autovacuum_naptime = 1min',
    'max_parallel_workers_per_gather = 0',
    'log_min_messages = warning',
    'log_checkpoints = off',
    "timezone = 'UTC'",
    '',
  ].join('\n');
}

async function initialise(runner: Runner, native: string, data: string): Promise<void> {
  const args = [
    '-D',
    data,
    '-U',
    user,
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-instructions',
  ];
  const child = runner.spawn(join(native, 'bin', 'initdb'), args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: '/',
  });
  let complaint = '';
  child.stderr!.on('data', (text: Buffer) => (complaint += String(text)));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`initdb failed: ${complaint.trim()}`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const until = async (isDone: () => boolean | Promise<boolean>, attempts: number) => {
  for (let i = 0; i < attempts; i++) {
    // oxlint-disable-next-line no-await-in-loop
    if (await isDone()) return true;
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setTimeout(resolve, startPauseMs));
  }
  return false;
};

/** Ends a server that outlived the process that started it. */
async function stopLeftover(data: string, log: SupervisorLog): Promise<void> {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number((await readFile(file, 'utf8')).split('\n')[0]);
  if (!Number.isInteger(pid) || !isAlive(pid)) return;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  if (command !== '' && !command.includes(data)) return;
  log.warn({ pid }, 'stopping the PostgreSQL that an earlier run has left behind');
  process.kill(pid, 'SIGINT');
  await until(() => !isAlive(pid), stopWaitMs / startPauseMs);
}

async function socketFolderFor(base: string): Promise<{ folder: string; isTemporary: boolean }> {
  const folder = join(base, 'run');
  if (Buffer.byteLength(folder) + '/.s.PGSQL.5432'.length <= socketPathMax) {
    await mkdir(folder, { recursive: true });
    return { folder, isTemporary: false };
  }
  return { folder: await mkdtemp(join(tmpdir(), 'lattice-pg-')), isTemporary: true };
}

async function canConnect(connection: pg.ClientConfig): Promise<boolean> {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function createDatabase(connection: pg.ClientConfig): Promise<void> {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  await client.connect();
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [
      database,
    ]);
    if (rowCount === 0) await client.query(`create database ${database}`);
  } finally {
    await client.end();
  }
}

/**
 * Starts the server's own PostgreSQL with its data in `folder`, which is made at the first start,
 * and keeps it running until `close`. It listens on a unix socket only and runs as an ordinary
 * user, also when started by root. Throws an Error that says why it cannot.
 */
export async function startEmbedded(folder: string, log: SupervisorLog): Promise<EmbeddedPostgres> {
  const native = locatePostgres();
  await linkLibraries(native);
  const data = join(folder, 'data');
  await mkdir(folder, { recursive: true });
  const runner = await createRunner([native, folder]);
  const isNew = !existsSync(join(data, 'PG_VERSION'));
  if (isNew) {
    await rm(data, { recursive: true, force: true });
    await mkdir(data, { mode: 0o700 });
    await runner.own(data);
    await initialise(runner, native, data);
  } else {
    await stopLeftover(data, log);
  }
  const socket = await socketFolderFor(folder);
  await chmod(socket.folder, 0o700);
  await runner.own(socket.folder);
  await writeFile(join(data, 'postgresql.auto.conf'), settings(socket.folder));
  const connection: pg.ClientConfig = { host: socket.folder, port: 5432, user, database };

  let child: ChildProcess;
  let isClosing = false;
  let hasStarted = false;
  let complaint = '';

  function launch(): void {
    complaint = '';
    child = runner.spawn(join(native, 'bin', 'postgres'), ['-D', data], {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: '/',
      detached: false,
    });
    child.stderr!.on('data', (text: Buffer) => {
      const line = String(text).trim();
      complaint = `${complaint}\n${line}`.slice(-2000);
      if (/\b(FATAL|PANIC)\b/.test(line) && hasStarted && !isClosing)
        log.warn({ postgres: line }, 'PostgreSQL');
    });
    child.on('error', (error) => (complaint += error.message));
    child.once('exit', (code, signal) => {
      if (isClosing || !hasStarted) return;
      log.warn({ code, signal }, 'PostgreSQL ended; starting it again');
      setTimeout(() => void relaunch(), restartPauseMs);
    });
  }

  /** After a kill -9 its children take a moment to notice and let go of the shared memory. */
  async function relaunch(): Promise<void> {
    if (isClosing) return;
    await stopLeftover(data, log);
    if (!isClosing) launch();
  }

  launch();
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  await until(async () => hasEnded() || (await canConnect(connection)), startAttempts);
  hasStarted = !hasEnded();
  if (!hasStarted) {
    isClosing = true;
    child!.kill('SIGKILL');
    throw new Error(`PostgreSQL does not start: ${complaint.trim()}`);
  }
  await createDatabase(connection);

  return {
    connection,
    pid: () => child.pid!,
    async close() {
      isClosing = true;
      if (child.exitCode === null && child.signalCode === null) {
        const exit = once(child, 'exit');
        child.kill('SIGINT');
        const timer = setTimeout(() => child.kill('SIGQUIT'), stopWaitMs);
        await exit;
        clearTimeout(timer);
      }
      if (socket.isTemporary) await rm(socket.folder, { recursive: true, force: true });
    },
  };
}
