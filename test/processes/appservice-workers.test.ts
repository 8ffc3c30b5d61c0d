import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type pg from 'pg';
import type { RunningSet } from '../../src/up/start-up.ts';
import { registrationOf, startBridge, type Bridge } from '../harness/bridge.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { databaseOf } from '../harness/remote-members.ts';
import { startWorkerSet } from '../harness/topology.ts';

const ids = ['one', 'two', 'three', 'four', 'five', 'six'];
const workers = `
workers: {generic_worker: 2, appservice: 2}
notify_appservices: false
`;
/** A process that dies is noticed and replaced within a while. */
const takeOverTriesMax = 2_000;

describe('application services with several processes that send', () => {
  let folder: string;
  let set: RunningSet;
  let dataDir: string;
  let sql: pg.Client;
  let alice: TestClient;
  let roomId: string;
  const bridges = new Map<string, Bridge>();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lattice-bridges-'));
    for (const id of [...ids, 'late']) {
      // oxlint-disable no-await-in-loop
      const bridge = await startBridge(id);
      bridges.set(id, bridge);
      const rest = `namespaces: {rooms: [{exclusive: false, regex: '.*'}]}`;
      await writeFile(join(folder, `${id}.reg`), registrationOf(id, bridge.url, rest));
      // oxlint-enable no-await-in-loop
    }
    ({ set, dataDir } = await startWorkerSet(optionsFor(ids), workers));
    sql = await databaseOf(dataDir);
    alice = await TestClient.register(set.urls[0]!, 'alice');
    roomId = await alice.createRoom();
    await eventually(async () => {
      await alice.send(roomId, 'begun?');
      await eventually(async () => assert.ok(ids.every((id) => bodiesOf(id).length > 0)), 20);
    });
  });
  after(async () => {
    await sql.end();
    await set.close();
    await Promise.all([...bridges.values()].map((bridge) => bridge.stop()));
    await rm(dataDir, { recursive: true });
    await rm(folder, { recursive: true });
  });

  const optionsFor = (registered: readonly string[]) => {
    const files = registered.map((id) => JSON.stringify(join(folder, `${id}.reg`)));
    return `app_service_config_files: [${files.join(', ')}]\n`;
  };

  const bodiesOf = (id: string) =>
    bridges
      .get(id)!
      .events()
      .filter((event) => event['type'] === 'm.room.message')
      .map((event) => (event['content'] as Json)['body'] as string);

  async function holders(): Promise<Set<string>> {
    const { rows } = await sql.query(
      `select distinct w.name from leases l join workers w on w.instance = l.holder
       where l.role = 'appservice'`,
    );
    return new Set(rows.map(({ name }: { name: string }) => name));
  }

  it('the workers share the services; who is killed while sending loses nothing', async () => {
    await eventually(async () => {
      const found = [...(await holders())];
      assert.equal(found.length, 2);
      assert.ok(found.every((name) => name.startsWith('appservice')));
    });
    const numbers = Array.from({ length: 60 }, (_, i) => `${i}`);
    for (const text of numbers) {
      if (text === '20') process.kill(set.pids().get('appservice1')!, 'SIGKILL');
      // oxlint-disable-next-line no-await-in-loop
      await alice.send(roomId, text);
    }
    await eventually(async () => {
      for (const id of ids) {
        const found = bodiesOf(id).filter((body) => body !== 'begun?');
        assert.deepEqual(found, numbers, `all of it, in order, each once: ${id}`);
      }
    }, takeOverTriesMax);
  });

  it('a service that is added to the configuration needs no restart', async () => {
    const path = join(dataDir, 'extra.yaml');
    const before = await readFile(path, 'utf8');
    await writeFile(path, before.replace(optionsFor(ids), optionsFor([...ids, 'late'])));
    await eventually(async () => {
      await alice.send(roomId, 'for the late one');
      assert.ok(bodiesOf('late').length > 0);
    }, takeOverTriesMax);
  });
});
