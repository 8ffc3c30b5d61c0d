import { spawn, type ChildProcess } from 'node:child_process';
import { access, chmod, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { canFollowParent } from '../kernel/follow-parent.ts';
import type { Log } from '../kernel/log.ts';

const names = ['valkey-server', 'redis-server'];
/** How often and how soon it is looked for after its start. */
const looksMax = 100;
const lookMs = 20;
const restartMs = 500;

async function findServer(): Promise<string> {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const found = await Promise.all(
    names.flatMap((name) =>
      folders.map(async (folder) => {
        const path = join(folder, name);
        const isThere = await access(path, constants.X_OK).then(
          () => true,
          () => false,
        );
        return isThere ? path : null;
      }),
    ),
  );
  const path = found.find((one) => one !== null);
  if (path) return path;
  throw new Error(
    'several processes talk through Redis, and this machine has neither redis-server nor ' +
      'valkey-server: install one (Debian: apt install redis-server), or configure `redis`',
  );
}

/** A Redis of the server's own, which keeps nothing. */
export interface OwnRedis {
  close(): Promise<void>;
}

async function appears(path: string): Promise<boolean> {
  for (let look = 0; look < looksMax; look++) {
    // oxlint-disable-next-line no-await-in-loop
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) return true;
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  return false;
}

/** Starts Redis on a unix socket, and again when it dies. Throws an Error that says what to install. */
export async function startRedis(socketPath: string, log: Log): Promise<OwnRedis> {
  const program = await findServer();
  // When this process is killed, its Redis is to end as well.
  const [command, ...before] = (await canFollowParent())
    ? ['setpriv', '--pdeathsig', 'TERM', program]
    : [program];
  let child: ChildProcess;
  let isClosed = false;

  function start(): void {
    const options = ['--port', '0', '--unixsocket', socketPath, '--save', '', '--appendonly', 'no'];
    child = spawn(command, [...before, ...options, '--daemonize', 'no', '--logfile', '/dev/null'], {
      stdio: 'ignore',
      // Ctrl-C in a terminal is for the supervisor, which stops the rest in order.
      detached: true,
    });
    child.on('error', (error) => log.error({ err: error }, `${program} cannot be run`));
    child.on('exit', (code, signal) => {
      if (isClosed) return;
      log.warn({ code, signal }, 'Redis ended; starting it again');
      setTimeout(() => {
        if (!isClosed) start();
      }, restartMs);
    });
  }

  start();
  if (!(await appears(socketPath))) {
    isClosed = true;
    child!.kill();
    throw new Error(`${program} did not start`);
  }
  await chmod(socketPath, 0o600);
  return {
    async close() {
      isClosed = true;
      if (child.exitCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await ended;
    },
  };
}
