import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningSet } from '../../src/up/start-up.ts';
import { Load } from '../harness/load.ts';
import { startWorkerSet } from '../harness/topology.ts';
import { findProcess } from '../harness/workers.ts';

/** Longer than a process may be silent before others take its work. */
const stoppedMs = 8_000;

describe('a worker set under load', () => {
  let set: RunningSet;
  let dataDir: string;
  let load: Load;

  before(async () => {
    const started = await startWorkerSet(
      '',
      'workers: {generic_worker: 2, federation_sender: 1, frontend_proxy: 1}\n',
    );
    ({ set, dataDir } = started);
    load = await Load.prepare(set.urls[0]!);
  });
  after(async () => {
    await set.close();
    await rm(dataDir, { recursive: true });
  });

  /** Waits until a process of that name runs again, and takes part. */
  async function isBack(name: string, pid: number): Promise<void> {
    while ((set.pids().get(name) ?? pid) === pid) await sleep(50);
    while (!new RegExp(`^${name} +live`, 'm').test(set.table())) await sleep(50);
  }

  it('any process may be killed: nothing is lost, doubled or out of order', async () => {
    for (const name of ['generic_worker1', 'main', 'generic_worker2', 'frontend_proxy1']) {
      const pid = set.pids().get(name)!;
      // oxlint-disable-next-line no-await-in-loop
      await load.during(async () => {
        process.kill(pid, 'SIGKILL');
        await isBack(name, pid);
      });
    }
    await load.check();
  });

  it('a process that stood still can no longer write what others write by then', async () => {
    const pid = set.pids().get('generic_worker1')!;
    await load.during(async () => {
      process.kill(pid, 'SIGSTOP');
      await sleep(stoppedMs);
      process.kill(pid, 'SIGCONT');
      await sleep(1_000);
    });
    await load.check();
  });

  it('PostgreSQL may be killed: requests wait or are told, then all goes on', async () => {
    const folder = join(dataDir, 'data', 'postgres', 'data');
    const [pid] = readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n');
    await load.during(async () => {
      process.kill(Number(pid), 'SIGKILL');
      await sleep(3_000);
    });
    await load.check();
  });

  it('Redis may be away: what is written is seen all the same, and later too', async () => {
    const pid = await findProcess('redis-server', dataDir);
    await load.during(async () => {
      process.kill(pid, 'SIGSTOP');
      await sleep(stoppedMs);
      process.kill(pid, 'SIGCONT');
      await sleep(1_000);
      process.kill(pid, 'SIGKILL');
      await sleep(2_000);
    });
    await load.check();
    assert.notEqual(await findProcess('redis-server', dataDir), pid, 'it was started again');
  });
});
