import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../src/config/config.ts';
import { createLog } from '../../src/kernel/log.ts';
import { startRouter } from '../../src/up/start-router.ts';
import { TestClient } from '../harness/client.ts';
import { makeDataDir } from '../harness/server.ts';
import { startWorkerSet } from '../harness/topology.ts';

const listeners = `
listeners:
  - {port: 0, bind_addresses: [127.0.0.1], resources: [{names: [client, health, metrics]}]}
`;

test('a router on its own finds the workers, also those that come later', async (t) => {
  const { set, dataDir, configPaths } = await startWorkerSet('', 'workers: {generic_worker: 1}\n');
  const own = join(dataDir, 'router.yaml');
  await writeFile(own, listeners);
  const shared = join(dataDir, 'data', 'run', 'shared.yaml');
  const { config } = await loadConfig([...configPaths, shared, own]);
  const router = await startRouter(config, createLog('error'));
  t.after(async () => {
    await router.close();
    await set.close();
    await rm(dataDir, { recursive: true });
  });
  const [url] = router.urls;
  assert.equal((await fetch(`${url}/health`)).status, 200);
  const alice = await TestClient.register(url!);
  const roomId = await alice.createRoom();
  const send = `${alice.room(roomId)}/send/m.room.message/`;
  await alice.ok('PUT', `${send}1`, { msgtype: 'm.text', body: 'x' });

  const metrics = async () => (await fetch(`${url}/_synapse/metrics`)).text();
  const isKnown = /lattice_router_worker_up\{worker="generic_worker2",app="generic_worker"\} 1/;
  assert.doesNotMatch(await metrics(), isKnown);
  await set.scale(new Map([['generic_worker', 2]]));
  while (!isKnown.test(await metrics())) await sleep(50);
  await alice.ok('PUT', `${send}2`, { msgtype: 'm.text', body: 'x' });
});

test('without a database no router starts', async (t) => {
  const { dataDir, configPaths } = await makeDataDir();
  t.after(() => rm(dataDir, { recursive: true }));
  const { config } = await loadConfig(configPaths);
  await assert.rejects(startRouter(config, createLog('error')), /needs `database`/);
});
