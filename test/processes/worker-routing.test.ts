import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { TestClient, type Json } from '../harness/client.ts';
import { startWorkerSet } from '../harness/topology.ts';
import { ask, workersOf, type Worker } from '../harness/workers.ts';

const workers = `
workers:
  generic_worker: 3
  media_repository: 1
  user_dir: 1
  frontend_proxy: 1
routing:
  initial_sync: [generic_worker3]
`;
const client = '/_matrix/client/v3';
const reportsMax = 12;

describe('a set of workers', () => {
  let url: string;
  let all: Worker[];
  let close: () => Promise<void>;

  before(async () => {
    const { set, dataDir } = await startWorkerSet(
      `rc_reports: { per_second: 0.001, burst_count: ${reportsMax} }`,
      workers,
    );
    url = set.urls[0]!;
    all = await workersOf(dataDir);
    close = async () => {
      await set.close();
      await rm(dataDir, { recursive: true });
    };
  });
  after(() => close());

  /** How often each worker was asked for an operation. */
  async function countsOf(operation: string): Promise<Record<string, number>> {
    const counts = await Promise.all(
      all.map(async (worker): Promise<[string, number]> => {
        const { text } = await ask(worker, 'GET', '/_synapse/metrics', null);
        const line = text
          .split('\n')
          .find(
            (one) =>
              one.startsWith('synapse_http_server_requests_received_total') &&
              one.includes(`servlet="${operation}"`),
          );
        return [worker.name, Number(line?.split(' ').at(-1) ?? 0)];
      }),
    );
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  it('has a process for every app', () => {
    assert.deepEqual(
      all.map(({ name }) => name).sort((a, b) => (a < b ? -1 : 1)),
      [
        'frontend_proxy1',
        'generic_worker1',
        'generic_worker2',
        'generic_worker3',
        'main',
        'media_repository1',
        'user_dir1',
      ],
    );
  });

  it('keeps the syncs of a user at one worker, first ones apart', async () => {
    const alice = await TestClient.register(url);
    const first = await alice.ok('GET', `${client}/sync`);
    assert.deepEqual(await countsOf('sync'), { generic_worker3: 1 });
    let since = first['next_batch'] as string;
    for (let i = 0; i < 8; i++) {
      // oxlint-disable-next-line no-await-in-loop
      since = (await alice.ok('GET', `${client}/sync?since=${since}`))['next_batch'] as string;
    }
    const { generic_worker3, ...others } = await countsOf('sync');
    assert.equal(generic_worker3, 1);
    assert.deepEqual(Object.values(others), [8]);
  });

  it('gives searches for users to their own worker', async () => {
    const bob = await TestClient.register(url);
    await bob.ok('POST', `${client}/user_directory/search`, { search_term: 'bob' });
    assert.deepEqual(await countsOf('searchUserDirectory'), { user_dir1: 1 });
  });

  it('limits what a user does at all processes together', async () => {
    const [dave, erin] = await Promise.all([TestClient.register(url), TestClient.register(url)]);
    const path = `${client}/users/${encodeURIComponent(erin.userId)}/report`;
    const workersAsked = all.filter(({ name }) => /generic|main/.test(name));
    let accepted = 0;
    for (let round = 0; round < reportsMax; round++) {
      // oxlint-disable no-await-in-loop
      const answers = await Promise.all(
        workersAsked.map((worker) => ask(worker, 'POST', path, dave.token, { reason: 'much' })),
      );
      accepted += answers.filter(({ status }) => status === 200).length;
      // They tell each other many times a second.
      await pause(150);
      // oxlint-enable no-await-in-loop
    }
    assert.ok(accepted >= reportsMax && accepted < 2 * reportsMax, `${accepted} were accepted`);
    assert.equal((await ask(all[0]!, 'POST', path, erin.token, { reason: 'own' })).status, 200);
  });

  it('answers any request at any process', async () => {
    const carol = await TestClient.register(url);
    const roomId = await carol.createRoom();
    const { token } = carol;
    for (const [i, worker] of all.entries()) {
      // oxlint-disable no-await-in-loop
      const send = `${carol.room(roomId)}/send/m.room.message/t${i}`;
      const body = { msgtype: 'm.text', body: worker.name };
      const sent = await ask(worker, 'PUT', send, token, body);
      assert.equal(sent.status, 200, `${worker.name}: ${sent.text}`);
      const { event_id: eventId } = JSON.parse(sent.text) as Json;
      for (const path of [`${client}/account/whoami`, `${client}/sync`]) {
        const answer = await ask(worker, 'GET', path, token);
        assert.equal(answer.status, 200, `${worker.name} ${path}: ${answer.text}`);
      }
      const page = await ask(worker, 'GET', `${carol.room(roomId)}/messages?dir=b&limit=1`, token);
      const { chunk } = JSON.parse(page.text) as { chunk: Json[] };
      assert.equal(chunk[0]?.['event_id'], eventId, worker.name);
      const search = { search_term: 'x' };
      const found = await ask(worker, 'POST', `${client}/user_directory/search`, token, search);
      assert.equal(found.status, 200, `${worker.name}: ${found.text}`);
      // oxlint-enable no-await-in-loop
    }
  });
});
