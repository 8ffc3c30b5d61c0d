// Keeps the PostgreSQL of the tests while a test process is connected to it. A process of its own,
// so that neither the end nor the kill of a test takes the database from the others.
import { createHash } from 'node:crypto';
import { truncateSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbedded, type EmbeddedPostgres } from './embedded/start.ts';
import { migrate, readMigrations } from './migrate.ts';
import {
  keeperAddress,
  keeperLog,
  testClusterFolder,
  type KeeperGreeting,
} from './test-database.ts';

/** How long it stays without users: test files follow each other closely. */
const lingerMs = 2_000;

const log = {
  info: (facts: object, message: string) => console.log(message, facts),
  warn: (facts: object, message: string) => console.log(message, facts),
};

const clusterFolder = join(testClusterFolder, 'postgres');
const settings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  shared_buffers: '64MB',
  max_connections: '200',
};

async function startCluster(): Promise<EmbeddedPostgres> {
  try {
    return await startEmbedded(clusterFolder, log, { settings });
  } catch (error) {
    // It did not wait for the disk, so a crash of the machine may have spoilt it.
    console.log('starting afresh:', error);
    await rm(clusterFolder, { recursive: true, force: true });
    return startEmbedded(clusterFolder, log, { settings });
  }
}

async function adminQuery<Row extends pg.QueryResultRow>(
  { connection }: EmbeddedPostgres,
  sql: string,
): Promise<Row[]> {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Drops the databases whose names match a pattern of LIKE, but for one. */
async function dropMatching(
  cluster: EmbeddedPostgres,
  pattern: string,
  except = '',
): Promise<void> {
  const names = await adminQuery<{ name: string }>(
    cluster,
    `select datname as name from pg_database where datname like '${pattern}'`,
  );
  for (const { name } of names) {
    if (name === except) continue;
    // oxlint-disable-next-line no-await-in-loop
    await adminQuery(cluster, `drop database if exists ${name} with (force)`);
  }
}

/** Name of the database with the schema that the migrations make now. */
async function templateName(): Promise<string> {
  const hash = createHash('sha256');
  for (const { name, checksum } of await readMigrations()) hash.update(`${name} ${checksum}\n`);
  return `template_${hash.digest('hex').slice(0, 16)}`;
}

const templates = new Map<string, Promise<string>>();

async function templateOf(cluster: EmbeddedPostgres): Promise<string> {
  const name = await templateName();
  let template = templates.get(name);
  if (!template) templates.set(name, (template = makeTemplate(cluster, name)));
  return template;
}

async function makeTemplate(cluster: EmbeddedPostgres, name: string): Promise<string> {
  const found = await adminQuery(cluster, `select from pg_database where datname = '${name}'`);
  if (found.length > 0) return name;
  const unfinished = `unfinished_${name}`;
  await adminQuery(cluster, `create database ${unfinished}`);
  await migrate({ ...cluster.connection, database: unfinished });
  await adminQuery(cluster, `alter database ${unfinished} rename to ${name}`);
  return name;
}

async function open(): Promise<EmbeddedPostgres> {
  const cluster = await startCluster();
  await dropMatching(cluster, 'test\\_%');
  await dropMatching(cluster, 'unfinished\\_%');
  await dropMatching(cluster, 'template\\_%', await templateName());
  return cluster;
}

function keep(server: Server): void {
  const opening = open();
  let users = 0;
  let served = 0;
  let linger = setTimeout(() => void end(), lingerMs);

  async function end(): Promise<void> {
    // From now on a new keeper can take over; it waits for the end of this one's PostgreSQL.
    server.close();
    await (await opening).close();
    process.exit(0);
  }

  async function greet(socket: Socket, prefix: string): Promise<void> {
    const cluster = await opening;
    const template = await templateOf(cluster);
    const greeting: KeeperGreeting = { connection: cluster.connection, template, prefix };
    socket.write(`${JSON.stringify(greeting)}\n`);
  }

  async function leave(prefix: string): Promise<void> {
    await dropMatching(await opening, `${prefix}\\_%`);
    if (--users === 0) linger = setTimeout(() => void end(), lingerMs);
  }

  server.on('connection', (socket) => {
    clearTimeout(linger);
    users++;
    const prefix = `test_${process.pid}_${++served}`;
    socket.on('error', () => socket.destroy());
    socket.on('close', () => void leave(prefix));
    // Reading tells of the other's end.
    socket.resume();
    void greet(socket, prefix);
  });
}

const server = createServer();
// Another keeper was quicker.
server.on('error', () => process.exit(0));
server.listen(keeperAddress, () => {
  truncateSync(keeperLog);
  keep(server);
});
