import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Command } from 'commander';
import pg from 'pg';
import { loadConfig, type Config } from '../config/config.ts';
import { locatePostgres } from '../database/embedded/install.ts';

interface Finding {
  isGood: boolean;
  text: string;
}

const good = (text: string): Finding => ({ isGood: true, text });
const bad = (text: string): Finding => ({ isGood: false, text });

const freeBytesMin = 1024 ** 3;

async function checkFolder({ dataDir }: Config): Promise<Finding> {
  try {
    await access(dataDir, constants.R_OK | constants.W_OK);
  } catch {
    return bad(`${dataDir} cannot be written to, or is not there`);
  }
  const { bavail, bsize } = await statfs(dataDir);
  const free = bavail * bsize;
  const text = `${(free / 1024 ** 3).toFixed(1)} GiB free in ${dataDir}`;
  return free >= freeBytesMin ? good(text) : bad(`only ${text}`);
}

async function checkKey({ signingKeyPath }: Config): Promise<Finding> {
  const found = await stat(signingKeyPath).catch(() => null);
  if (!found) return good(`the signing key ${signingKeyPath} will be made at the start`);
  const readableByOthers = 0o044;
  return (found.mode & readableByOthers) === 0
    ? good(`the signing key ${signingKeyPath} is private`)
    : bad(`others can read the signing key: chmod 600 ${signingKeyPath}`);
}

const oldestPostgres = 150_000;

async function checkDatabase({ database }: Config): Promise<Finding> {
  if (!database) return good(`own PostgreSQL, from ${locatePostgres()}`);
  const client = new pg.Client(database);
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string; collation: string }>(
      `select current_setting('server_version_num') as version,
         (select datcollate from pg_database where datname = current_database()) as collation`,
    );
    const { version, collation } = rows[0]!;
    if (Number(version) < oldestPostgres) return bad('PostgreSQL 15 or newer is needed');
    return good(
      `PostgreSQL ${Math.floor(Number(version) / 10_000)} answers; collation ${collation}`,
    );
  } catch (error) {
    return bad(`the database cannot be reached: ${(error as Error).message}`);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function checkPort(port: number, host: string): Promise<Finding> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(bad(`${host}:${port}: ${error.message}`)));
    server.listen({ port, host }, () =>
      server.close(() => resolve(good(`${host}:${port} is free`))),
    );
  });
}

async function examine(paths: string[]): Promise<void> {
  const { config, warnings } = await loadConfig(paths);
  const ports = config.listeners.flatMap(({ at }) =>
    'port' in at ? at.addresses.map((host) => checkPort(at.port, host)) : [],
  );
  const findings = await Promise.all([
    Promise.resolve(good(`Node.js ${process.version}`)),
    checkFolder(config),
    checkKey(config),
    checkDatabase(config),
    ...ports,
  ]);
  findings.push(...warnings.map(bad));
  for (const { isGood, text } of findings) console.log(`${isGood ? 'good' : 'BAD '}  ${text}`);
  if (findings.some(({ isGood }) => !isGood)) process.exitCode = 1;
}

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('look for what would keep a server from running; run it while it is stopped')
    .argument('<paths...>', 'configuration files or folders; later ones win')
    .action(examine);
}
