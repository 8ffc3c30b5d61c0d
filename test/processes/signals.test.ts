import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { makeDataDir } from '../harness/server.ts';

const program = join(import.meta.dirname, '../../bin/lattice.mjs');

/** Starts a server as a terminal does: leader of a process group. Resolves when it is ready. */
async function startInTerminal(configPaths: readonly string[], command = 'serve') {
  const args = configPaths.flatMap((path) => ['--config-path', path]);
  const child = spawn(process.execPath, [program, command, ...args], { detached: true });
  let output = '';
  const exit = once(child, 'exit');
  child.stderr.on('data', (chunk: Buffer) => void (output += String(chunk)));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += String(chunk);
      if (/^ready /m.test(output)) resolve();
    });
    child.once('exit', () => reject(new Error(output)));
  });
  const file = join(dirname(configPaths[0]!), 'postgres', 'data', 'postmaster.pid');
  const postgres = Number(readFileSync(file, 'utf8').split('\n')[0]);
  return { pid: child.pid!, postgres, exit, output: () => output };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const groupOf = (pid: number) =>
  Number(execFileSync('ps', ['-o', 'pgid=', '-p', String(pid)], { encoding: 'utf8' }));

/** Whether a program can be told here that its parent was killed. */
function canFollowParent(): boolean {
  try {
    execFileSync('setpriv', ['--pdeathsig', 'INT', 'true']);
    return true;
  } catch {
    return false;
  }
}

test('Ctrl-C reaches the server alone, which then stops PostgreSQL', async () => {
  const { dataDir, configPaths } = await makeDataDir();
  try {
    const { pid, postgres, exit } = await startInTerminal(configPaths);
    assert.equal(groupOf(pid), pid);
    assert.notEqual(groupOf(postgres), pid);
    process.kill(-pid, 'SIGINT');
    assert.deepEqual(await exit, [0, null]);
    assert.equal(isAlive(postgres), false);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test('PostgreSQL ends when the server is killed', { skip: !canFollowParent() }, async () => {
  const { dataDir, configPaths } = await makeDataDir();
  try {
    const { pid, postgres, exit } = await startInTerminal(configPaths);
    process.kill(pid, 'SIGKILL');
    await exit;
    // The test's own time limit ends it otherwise.
    // oxlint-disable-next-line no-await-in-loop
    while (isAlive(postgres)) await pause(20);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test('a second start in a folder is refused, and harms the first in nothing', async () => {
  const { dataDir, configPaths } = await makeDataDir(
    'listeners: [{port: 0, bind_addresses: [127.0.0.1]}]',
  );
  try {
    const { pid, postgres, exit } = await startInTerminal(configPaths);
    for (const command of ['serve', 'up']) {
      const args = configPaths.flatMap((path) => ['--config-path', path]);
      const second = spawn(process.execPath, [program, command, ...args]);
      let complaint = '';
      second.stderr.on('data', (chunk: Buffer) => void (complaint += String(chunk)));
      // oxlint-disable-next-line no-await-in-loop
      assert.deepEqual(await once(second, 'close'), [1, null], complaint);
      assert.match(complaint, /^Lattice runs in \S+ already \(process \d+\): stop it first\n$/);
      assert.equal(isAlive(postgres), true);
    }
    process.kill(pid, 'SIGTERM');
    assert.deepEqual(await exit, [0, null]);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

/** Processes whose command line has a text in it. */
const pidsWith = (text: string): number[] =>
  execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(text))
    .map((line) => Number.parseInt(line, 10));

const hasRedis = (process.env['PATH'] ?? '')
  .split(delimiter)
  .some((path) => ['redis-server', 'valkey-server'].some((name) => existsSync(join(path, name))));

test(
  'workers, PostgreSQL and Redis end when the supervisor is killed',
  { skip: !canFollowParent() || !hasRedis },
  async () => {
    const { dataDir, configPaths } = await makeDataDir('workers: {generic_worker: 1}');
    try {
      const { pid, postgres, exit } = await startInTerminal(configPaths, 'up');
      const others = pidsWith(join(dataDir, 'data', 'run')).filter((each) => each !== pid);
      assert.equal(others.length, 3, 'main, a worker and Redis');
      process.kill(pid, 'SIGKILL');
      await exit;
      // The test's own time limit ends it otherwise.
      // oxlint-disable-next-line no-await-in-loop
      while ([postgres, ...others].some(isAlive)) await pause(20);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  },
);

test('SIGHUP does no harm to a server without a terminal', async () => {
  const { dataDir, configPaths } = await makeDataDir();
  const telling = join(dataDir, 'telling.yaml');
  await writeFile(telling, 'log_level: info');
  try {
    const { pid, exit, output } = await startInTerminal([...configPaths, telling]);
    process.kill(pid, 'SIGHUP');
    // oxlint-disable-next-line no-await-in-loop
    while (!output().includes('have been read again')) await pause(20);
    process.kill(pid, 'SIGTERM');
    assert.deepEqual(await exit, [0, null]);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});
