import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { makeDataDir } from '../harness/server.ts';

const program = join(import.meta.dirname, '../../bin/lattice.mjs');

/** Starts a server as a terminal does: leader of a process group. Resolves when it is ready. */
async function startInTerminal(configPaths: readonly string[]) {
  const args = configPaths.flatMap((path) => ['--config-path', path]);
  const child = spawn(process.execPath, [program, 'serve', ...args], { detached: true });
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
  return { pid: child.pid!, postgres, exit };
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
  const { dataDir, configPaths } = await makeDataDir('listeners: [{port: 0, bind_addresses: [127.0.0.1]}]');
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
