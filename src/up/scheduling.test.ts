import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { scheduleAsBatch } from './scheduling.ts';

function policyOf(pid: number): string | null {
  try {
    return execFileSync('chrt', ['--pid', String(pid)], { encoding: 'utf8' });
  } catch {
    return null;
  }
}

test('a process and what it starts are scheduled as batches', async (context) => {
  if (policyOf(process.pid) === null) {
    context.skip('there is no chrt');
    return;
  }
  const parent = spawn('sh', ['-c', 'read line; sleep 60 & echo $!; wait'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    assert.equal(await scheduleAsBatch(parent.pid!), true);
    parent.stdin.write('go\n');
    const [text] = (await once(parent.stdout, 'data')) as [Buffer];
    const child = Number(String(text));
    try {
      assert.match(policyOf(parent.pid!)!, /SCHED_BATCH/);
      assert.match(policyOf(child)!, /SCHED_BATCH/);
    } finally {
      process.kill(child);
    }
  } finally {
    parent.kill();
  }
});

test('what cannot be done is said', async () => {
  assert.equal(await scheduleAsBatch(-1), false);
});
