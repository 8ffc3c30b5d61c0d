// How long a send waits at most while workers come, go, are replaced or killed:
// `node test/bench/stalls.ts`.
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Load } from '../harness/load.ts';
import { startWorkerSet } from '../harness/topology.ts';

const quietMs = 3_000;
/** Longer than others take to take over. */
const killedMs = 6_000;

const { set, dataDir } = await startWorkerSet('', 'workers: {generic_worker: 2}\n');
const load = await Load.prepare(set.urls[0]!);

async function report(what: string, happening: () => Promise<unknown>): Promise<void> {
  console.log(`${what}: ${Math.round(await load.during(happening))} ms`);
}

await report('nothing happens', () => sleep(quietMs));
await report('two are added', () => set.scale(new Map([['generic_worker', 4]])));
await report('two are taken away', () => set.scale(new Map([['generic_worker', 2]])));
await report('all are replaced', () => set.roll());
await report('one is killed', async () => {
  process.kill(set.pids().get('generic_worker1')!, 'SIGKILL');
  await sleep(killedMs);
});
await load.check();
await set.close();
await rm(dataDir, { recursive: true });
process.exit(0);
