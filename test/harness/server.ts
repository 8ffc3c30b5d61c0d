import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/config.ts';
import { startServer } from '../../src/apps/start-server.ts';
import { writeConfig } from '../../src/commands/generate-config.ts';
import { createLog } from '../../src/kernel/log.ts';

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

/** A folder with a configuration for open registration. `extra`: YAML that is added to it. */
export async function makeDataDir(extra = ''): Promise<{ dataDir: string; configPaths: string[] }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lattice-test-'));
  const configPath = await writeConfig({
    serverName: 'test.example',
    dataDir: join(dataDir, 'data'),
    port: await freePort(),
    address: '127.0.0.1',
    databaseUrl: null,
    isOpen: true,
  });
  const extraPath = join(dataDir, 'extra.yaml');
  const common = `log_level: error\nregistration_shared_secret: ${adminSecret}`;
  await writeFile(extraPath, `${common}\n${extra}\n`);
  return { dataDir, configPaths: [configPath, extraPath] };
}

/** The URL of a worker set that all tests share, when the suite runs on one; see `test/run.mjs`. */
const sharedUrl = process.env['LATTICE_TEST_URL'];

/**
 * A server: inside the test's own process, or, when the suite runs on a worker set, that set; one of
 * its own for tests with a configuration of their own.
 */
export async function startTestServer(extra = ''): Promise<TestServer> {
  if (sharedUrl !== undefined) {
    if (extra === '') return { url: sharedUrl, dataDir: '', close: async () => undefined };
    const { fewWorkers, startWorkerSet } = await import('./topology.ts');
    const { set, dataDir } = await startWorkerSet(extra, fewWorkers);
    return {
      url: set.urls[0]!,
      dataDir,
      async close() {
        await set.close();
        await rm(dataDir, { recursive: true, force: true });
      },
    };
  }
  const { dataDir, configPaths } = await makeDataDir(extra);
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
