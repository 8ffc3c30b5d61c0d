import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, openSync, closeSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { Database } from './database.ts';
import { openDatabase } from './open-database.ts';

/** Where the cluster of the tests is kept between runs: making one takes a second. */
export const testClusterFolder = join(
  import.meta.dirname,
  '../../node_modules/.cache/lattice-test-database',
);

/** What the keeper tells those who connect to it, as one line of JSON. */
export interface KeeperGreeting {
  connection: pg.ClientConfig;
  /** Database to clone. */
  template: string;
  /** Databases whose names begin with this are dropped when the process that made them ends. */
  prefix: string;
}

/** Address of the keeper's socket. On Linux it is a name without a file, which cannot be left over. */
export const keeperAddress =
  process.platform === 'linux'
    ? `\0lattice-test-${createHash('sha256').update(testClusterFolder).digest('hex').slice(0, 16)}`
    : join(testClusterFolder, 'keeper.sock');

const keeperWaitMs = 30_000;
const keeperPollMs = 25;

interface Keeper {
  socket: Socket;
  greeting: KeeperGreeting;
}

/** Null: nobody listens, or the keeper is just going away. */
function reachKeeper(): Promise<Keeper | null> {
  return new Promise((resolve) => {
    const socket = connect(keeperAddress);
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (!text.endsWith('\n')) return;
      // Keeping it open is no reason for the test to stay.
      socket.unref();
      resolve({ socket, greeting: JSON.parse(text) as KeeperGreeting });
    });
    socket.on('error', () => resolve(null));
    socket.on('close', () => resolve(null));
  });
}

/** What the keeper has to say, for when it cannot start. */
export const keeperLog = join(testClusterFolder, 'keeper.log');

function startKeeper(): void {
  mkdirSync(testClusterFolder, { recursive: true });
  const log = openSync(keeperLog, 'a');
  const program = join(import.meta.dirname, 'test-database-keeper.ts');
  spawn(process.execPath, [program], { detached: true, stdio: ['ignore', log, log] }).unref();
  closeSync(log);
}

async function findKeeper(): Promise<Keeper> {
  for (let waitedMs = 0; waitedMs < keeperWaitMs; waitedMs += keeperPollMs) {
    // oxlint-disable-next-line no-await-in-loop
    const keeper = await reachKeeper();
    if (keeper) return keeper;
    // Of several keepers started together all but one end at once.
    const isEverySecond = waitedMs % 1_000 === 0;
    if (isEverySecond) startKeeper();
    // oxlint-disable-next-line no-await-in-loop
    await pause(keeperPollMs);
  }
  throw new Error(`no database for tests: ${readFileSync(keeperLog, 'utf8').slice(-2_000)}`);
}

let keeper: Promise<Keeper> | null = null;
let created = 0;
let open = 0;

async function asAdmin(connection: pg.ClientConfig, sql: string): Promise<void> {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

export interface TestDatabase {
  database: Database;
  /** How to connect to it otherwise. */
  connection: pg.ClientConfig;
  /** Drops it. */
  close(): Promise<void>;
}

/**
 * A database of its own for one test, with the current schema and no rows. All test processes share
 * one PostgreSQL, which is started by the first and ends soon after the last. It does not wait for
 * the disk: what a crash of it leaves behind is to be tested with a server of one's own.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  open++;
  keeper ??= findKeeper();
  const { greeting, socket } = await keeper;
  const name = `${greeting.prefix}_${++created}`;
  const drop = `drop database if exists ${name} with (force)`;
  await asAdmin(greeting.connection, `create database ${name} template ${greeting.template}`);
  const connection = { ...greeting.connection, database: name };
  const database = openDatabase({ connection, readConnections: 1, poolSize: 4 });
  return {
    database,
    connection,
    async close() {
      await database.close();
      await asAdmin(greeting.connection, drop);
      if (--open > 0) return;
      keeper = null;
      socket.end();
    },
  };
}
