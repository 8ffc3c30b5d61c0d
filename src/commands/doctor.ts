import { constants } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { access, readFile, stat, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import pg from 'pg';
import { loadAppserviceRegistrations } from '../appservices/registration-files.ts';
import { loadConfig, type Config } from '../config/config.ts';
import { configPathsOf, takesConfigPaths } from './config-paths.ts';
import { locatePostgres } from '../database/embedded/install.ts';
import { listenError, placeText } from '../http/open-listeners.ts';
import { parseSigningKey } from '../matrix/signing.ts';

interface Finding {
  /** `note`: the server runs, and an admin should know. */
  verdict: 'good' | 'note' | 'BAD';
  text: string;
}

const good = (text: string): Finding => ({ verdict: 'good', text });
const note = (text: string): Finding => ({ verdict: 'note', text });
const bad = (text: string): Finding => ({ verdict: 'BAD', text });

const freeBytesMin = 1024 ** 3;

const isWritable = (path: string): Promise<boolean> =>
  access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );

async function checkFolder({ dataDir }: Config): Promise<Finding> {
  if (!(await isWritable(dataDir))) return bad(`${dataDir} cannot be written to, or is not there`);
  const { bavail, bsize } = await statfs(dataDir);
  const free = bavail * bsize;
  const text = `${(free / 1024 ** 3).toFixed(1)} GiB free in ${dataDir}`;
  return free >= freeBytesMin ? good(text) : bad(`only ${text}`);
}

async function checkKey({ signingKey, signingKeyPath }: Config): Promise<Finding> {
  if (signingKey !== null) return good('the signing key is in the configuration');
  const found = await stat(signingKeyPath).catch(() => null);
  if (!found) {
    return (await isWritable(dirname(signingKeyPath)))
      ? good(`the signing key ${signingKeyPath} will be made at the start`)
      : bad(`the signing key ${signingKeyPath} is not there, and cannot be made there`);
  }
  try {
    parseSigningKey(await readFile(signingKeyPath, 'utf8'));
  } catch (error) {
    return bad(`the signing key ${signingKeyPath}: ${(error as Error).message}`);
  }
  const readableByOthers = 0o044;
  return (found.mode & readableByOthers) === 0
    ? good(`the signing key ${signingKeyPath} is private`)
    : bad(`others can read the signing key: chmod 600 ${signingKeyPath}`);
}

const dayMs = 86_400_000;
const renewalDays = 14;

async function checkCertificate({ tls }: Config): Promise<Finding[]> {
  const { certificatePath, keyPath } = tls;
  if (certificatePath === null || keyPath === null) return [];
  try {
    const [certificate] = await Promise.all([readFile(certificatePath), readFile(keyPath)]);
    const { validToDate } = new X509Certificate(certificate);
    const days = Math.floor((validToDate.getTime() - Date.now()) / dayMs);
    const text = `the certificate ends on ${validToDate.toISOString().slice(0, 10)}`;
    return [days >= renewalDays ? good(text) : bad(text)];
  } catch (error) {
    return [bad(`the certificate or its key is no good: ${(error as Error).message}`)];
  }
}

const oldestMajor = 26;

function checkNode(): Finding {
  const text = `Node.js ${process.version}`;
  const isNew = Number(process.versions.node.split('.')[0]) >= oldestMajor;
  return isNew ? good(text) : bad(`${text} is older than ${oldestMajor}`);
}

/** Clocks that differ by more make tokens and events look as if they came from the future. */
const clockDifferenceMaxMs = 5000;

/** The signing key cannot have been written in the future. */
async function checkClock({ signingKeyPath }: Config): Promise<Finding> {
  const found = await stat(signingKeyPath).catch(() => null);
  const now = new Date().toISOString();
  return found && found.mtimeMs > Date.now() + clockDifferenceMaxMs
    ? bad(`the clock says ${now}, which is before the signing key was made`)
    : good(`the clock says ${now}`);
}

const oldestPostgres = 150_000;

async function checkDatabase({ database }: Config): Promise<Finding[]> {
  if (!database) return [good(`own PostgreSQL, from ${locatePostgres()}`)];
  const client = new pg.Client({ connectionTimeoutMillis: 10_000, ...database });
  try {
    await client.connect();
    const { rows } = await client.query<{ version: number; collation: string; now: Date }>(
      `select current_setting('server_version_num')::int as version, clock_timestamp() as now,
         (select datcollate from pg_database where datname = current_database()) as collation`,
    );
    const { version, collation, now } = rows[0]!;
    const findings =
      version < oldestPostgres
        ? [bad('PostgreSQL 15 or newer is needed')]
        : [good(`PostgreSQL ${Math.floor(version / 10_000)} answers; collation ${collation}`)];
    if (Math.abs(now.getTime() - Date.now()) > clockDifferenceMaxMs) {
      findings.push(bad(`the clock of the database says ${now.toISOString()}`));
    }
    return findings;
  } catch (error) {
    return [bad(`the database cannot be reached: ${(error as Error).message}`)];
  } finally {
    await client.end().catch(() => undefined);
  }
}

function checkPort(port: number, host: string): Promise<Finding> {
  const at = { port, host };
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(bad(listenError(error, at).message)));
    server.listen(at, () => server.close(() => resolve(good(`${placeText(at)} is free`))));
  });
}

async function checkSocket(path: string): Promise<Finding> {
  return (await isWritable(dirname(path)))
    ? good(`a socket can be made at ${path}`)
    : bad(`a socket cannot be made at ${path}: its folder is not there or not writable`);
}

const checkListeners = ({ listeners }: Config): Promise<Finding>[] =>
  listeners.flatMap(({ at }) =>
    'port' in at ? at.addresses.map((host) => checkPort(at.port, host)) : [checkSocket(at.path)],
  );

async function checkRedis({ workers }: Config): Promise<Finding[]> {
  if (!workers.redis) return [];
  // Every command loads this file, and the Redis client is half of what there is to load.
  const { redisOptions } = await import('../apps/connections.ts');
  const { tryRedis } = await import('../streams/redis/connect.ts');
  try {
    await tryRedis(await redisOptions(workers.redis));
    return [good('Redis answers')];
  } catch (error) {
    return [bad(`Redis cannot be used: ${(error as Error).message}`)];
  }
}

async function checkAppservices({ appserviceFiles, serverName }: Config): Promise<Finding[]> {
  if (appserviceFiles.length === 0) return [];
  try {
    const { all } = await loadAppserviceRegistrations(appserviceFiles, serverName);
    return [good(`application services: ${all.map(({ id }) => id).join(', ')}`)];
  } catch (error) {
    return [bad((error as Error).message)];
  }
}

async function examine(paths: string[]): Promise<void> {
  const { config, warnings } = await loadConfig(paths);
  const findings = await Promise.all([
    checkFolder(config),
    checkKey(config),
    checkClock(config),
    checkDatabase(config),
    checkRedis(config),
    checkCertificate(config),
    checkAppservices(config),
    ...checkListeners(config),
  ]);
  const all = [checkNode(), ...findings.flat(), ...warnings.map(note)];
  for (const { verdict, text } of all) console.log(`${verdict.padEnd(4)}  ${text}`);
  if (all.some(({ verdict }) => verdict === 'BAD')) process.exitCode = 1;
}

export function addDoctor(program: Command): void {
  takesConfigPaths(program.command('doctor'))
    .description('look for what would keep a server from running; run it while it is stopped')
    .action((paths: string[], options: { configPath: string[] }, command: Command) =>
      examine(configPathsOf(paths, options, command)),
    );
}
