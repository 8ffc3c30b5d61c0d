import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppName } from '../../src/config/workers.ts';

const root = join(import.meta.dirname, '..', '..');

/** `registration_shared_secret` of all test servers. */
export const adminSecret = 'a secret for tests';

/** A server of its own, with its own database, for one test file. */
export interface TestServer {
  url: string;
  dataDir: string;
  close(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Servers that tests play are on this machine, with certificates of their own making. */
const remoteServersOfTests = `
federation_ip_range_blacklist: []
federation_verify_certificates: false
trusted_key_servers: []
`;

/** A folder with a configuration for open registration. `extra`: YAML that is added to it. */
export async function makeDataDir(extra = ''): Promise<{ dataDir: string; configPaths: string[] }> {
  const { writeConfig } = await import('../../src/commands/generate-config.ts');
  const dataDir = await mkdtemp(join(tmpdir(), 'lattice-test-'));
  const configPath = await writeConfig({
    serverName: 'test.example',
    dataDir: join(dataDir, 'data'),
    port: await freePort(),
    address: '127.0.0.1',
    databaseUrl: null,
    isOpen: true,
  });
  const remotePath = join(dataDir, 'remote-servers.yaml');
  await writeFile(remotePath, remoteServersOfTests);
  const extraPath = join(dataDir, 'extra.yaml');
  const common = `log_level: error\nregistration_shared_secret: ${adminSecret}`;
  await writeFile(extraPath, `${common}\n${extra}\n`);
  return { dataDir, configPaths: [configPath, remotePath, extraPath] };
}

/** Where worker sets are asked for, when the suite runs on them; see `serve-sets.ts`. */
const setsUrl = process.env['LATTICE_TEST_SETS'];

/** Whether the suite runs on worker sets, and not on the single process. */
export const isOnWorkers = setsUrl !== undefined;

/** For tests of processes that they start themselves, which are the same in either case. */
export const onceOnly = { skip: isOnWorkers && 'has run with those of the single process' };

/** What is wanted of a worker set. */
export interface WantedSet {
  /** YAML. */
  options: string;
  /** Beside two writers, when the set is not a shared one. */
  apps: readonly AppName[];
}

export interface StartedSet {
  url: string;
  dataDir: string;
  /** For its end; null: others use it, too. */
  id: string | null;
}

async function startOnWorkers(wanted: WantedSet): Promise<TestServer> {
  const answer = await fetch(setsUrl!, { method: 'POST', body: JSON.stringify(wanted) });
  if (!answer.ok) throw new Error(`no worker set starts: ${await answer.text()}`);
  const { url, dataDir, id } = (await answer.json()) as StartedSet;
  return {
    url,
    dataDir,
    async close() {
      if (id !== null) await fetch(`${setsUrl}/${id}`, { method: 'DELETE' });
    },
  };
}

async function startSingle(extra: string): Promise<TestServer> {
  const { loadConfig } = await import('../../src/config/config.ts');
  const { startServer } = await import('../../src/apps/start-server.ts');
  const { createLog } = await import('../../src/kernel/log.ts');
  const { putDatabase } = await import('./database-template.ts');
  const { dataDir, configPaths } = await makeDataDir(extra);
  await putDatabase(join(dataDir, 'data'));
  const { config } = await loadConfig(configPaths);
  const server = await startServer(config, createLog('error'));
  return {
    url: server.urls[0]!,
    dataDir,
    async close() {
      await server.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/**
 * A server with the options `extra` (YAML): inside the test's own process, or, when the suite runs
 * on worker sets, a shared one that has them all. Where none has, it is a set of the test's own, with
 * two writers and those `apps` that its subject needs: every process costs a second of CPU.
 */
export async function startTestServer(
  extra = '',
  apps: readonly AppName[] = [],
): Promise<TestServer> {
  return isOnWorkers ? startOnWorkers({ options: extra, apps }) : startSingle(extra);
}

/** A server in a process of its own, which can be killed. */
export class ServerProcess {
  readonly configPaths: readonly string[];
  url = '';
  #child: ChildProcess | null = null;

  constructor(configPaths: readonly string[]) {
    this.configPaths = configPaths;
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const paths = this.configPaths.flatMap((path) => ['--config-path', path]);
    const args = [join(root, 'bin', 'lattice.mjs'), 'serve', ...paths];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    let output = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        output += String(chunk);
        const match = /^ready (http\S+)$/m.exec(output);
        if (!match) return;
        this.url = match[1]!;
        resolve();
      });
      child.once('exit', (code) => reject(new Error(`ended with ${code}: ${output}`)));
    });
  }

  /** After SIGTERM its PostgreSQL has ended too; after SIGKILL that still writes to its folder. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child!;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exit = once(child, 'exit');
    child.kill(signal);
    return ((await exit) as [number | null])[0];
  }
}
