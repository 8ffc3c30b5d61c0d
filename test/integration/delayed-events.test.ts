import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import {
  makeDataDir,
  onceOnly,
  ServerProcess,
  startTestServer,
  type TestServer,
} from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const base = '/_matrix/client/unstable/org.matrix.msc4140/delayed_events';
const withDelay = (path: string, ms: number | string) => `${path}?org.matrix.msc4140.delay=${ms}`;
const day = 24 * 60 * 60 * 1000;
let names = 0;
const register = () => TestClient.register(server.url, `delayer${++names}`);

async function later(
  user: TestClient,
  roomId: string,
  body: string,
  delayMs: number,
  txnId = `t${++names}`,
): Promise<string> {
  const path = withDelay(`${user.room(roomId)}/send/m.room.message/${txnId}`, delayMs);
  const answer = await user.ok('PUT', path, { msgtype: 'm.text', body });
  return answer['delay_id'] as string;
}

async function laterState(user: TestClient, roomId: string, key: string, delayMs: number) {
  const path = withDelay(`${user.room(roomId)}/state/org.example/${key}`, delayMs);
  return (await user.ok('PUT', path, { by: user.userId }))['delay_id'] as string;
}

const waiting = async (user: TestClient) =>
  (await user.ok('GET', base))['delayed_events'] as Json[];
const idsWaiting = async (user: TestClient) => (await waiting(user)).map((one) => one['delay_id']);

async function bodies(user: TestClient, roomId: string): Promise<string[]> {
  const page = await user.ok('GET', `${user.room(roomId)}/messages?dir=f&limit=100`);
  return (page['chunk'] as Json[])
    .filter((event) => event['type'] === 'm.room.message')
    .map((event) => event['content'].body as string);
}

test('delayed messages are sent when their time comes, in their order', async () => {
  const [alice, bob] = await Promise.all([register(), register()]);
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const first = await later(alice, roomId, 'first', 600, 'same');
  const second = await later(alice, roomId, 'second', 700);
  assert.equal(await later(alice, roomId, 'first', 600, 'same'), first, 'it was asked for again');
  const path = (txnId: string) =>
    withDelay(`${alice.room(roomId)}/send/m.room.message/${txnId}`, 600);
  assert.equal((await alice.ok('PUT', path('same')))['delay_id'], first, 'also without a body');
  assert.equal(await alice.refused('PUT', path('other')), '400 M_NOT_JSON');
  const shown = await waiting(alice);
  assert.deepEqual(
    shown.map((one) => [one['delay_id'], one['room_id'], one['type'], one['delay']]),
    [
      [first, roomId, 'm.room.message', 600],
      [second, roomId, 'm.room.message', 700],
    ],
  );
  assert.deepEqual(shown[0]!['content'], { msgtype: 'm.text', body: 'first' });
  assert.ok(Math.abs(Number(shown[0]!['running_since']) - Date.now()) < 60_000);
  assert.deepEqual(await waiting(bob), []);
  await eventually(async () =>
    assert.deepEqual(await bodies(bob, roomId), ['first', 'second'], 'both came'),
  );
  assert.deepEqual(await waiting(alice), []);
  assert.equal(await later(alice, roomId, 'first', 600, 'same'), first, 'also after it was sent');
});

test('whoever has the id cancels, restarts and sends', async () => {
  const alice = await register();
  const anybody = new TestClient(server.url);
  const roomId = await alice.createRoom();
  const act = (id: string, action: string) => anybody.ok('POST', `${base}/${id}`, { action });
  const gone = await laterState(alice, roomId, 'gone', day);
  const sent = await laterState(alice, roomId, 'sent', day);
  const again = await laterState(alice, roomId, 'again', day);
  const [, , before] = await waiting(alice);
  await act(gone, 'cancel');
  await act(sent, 'send');
  await act(again, 'restart');
  const state = await alice.ok('GET', `${alice.room(roomId)}/state/org.example/sent`);
  assert.deepEqual(state, { by: alice.userId });
  const left = await waiting(alice);
  assert.deepEqual(
    left.map((one) => one['delay_id']),
    [again],
  );
  assert.ok(left[0]!['running_since'] > before!['running_since']);
  assert.equal(left[0]!['state_key'], 'again');
  for (const id of [gone, sent, 'unknown']) {
    for (const action of ['cancel', 'restart', 'send']) {
      // oxlint-disable-next-line no-await-in-loop
      assert.equal(await anybody.refused('POST', `${base}/${id}`, { action }), '404 M_NOT_FOUND');
    }
  }
  await anybody.ok('POST', `${base}/${again}/restart`);
  await anybody.ok('POST', `${base}/${again}/send`);
  assert.equal(await anybody.refused('POST', `${base}/${again}/cancel`), '404 M_NOT_FOUND');
  await alice.ok('GET', `${alice.room(roomId)}/state/org.example/again`);
  const missing = await alice.refused('GET', `${alice.room(roomId)}/state/org.example/gone`);
  assert.equal(missing, '404 M_NOT_FOUND');
});

test('state that somebody else sets meanwhile stays', async () => {
  const [alice, bob] = await Promise.all([register(), register()]);
  const users = { [bob.userId]: 50 };
  const roomId = await alice.createRoom({
    preset: 'public_chat',
    power_level_content_override: { users },
  });
  await bob.join(roomId);
  const theirs = await laterState(alice, roomId, 'both', day);
  const own = await laterState(alice, roomId, 'mine', day);
  const path = (key: string) => `${alice.room(roomId)}/state/org.example/${key}`;
  await bob.ok('PUT', path('both'), { by: bob.userId });
  await alice.ok('PUT', path('mine'), { by: 'before' });
  assert.deepEqual(await idsWaiting(alice), [own]);
  assert.equal(await alice.refused('POST', `${base}/${theirs}/send`), '404 M_NOT_FOUND');
  await alice.ok('POST', `${base}/${own}/send`);
  assert.deepEqual(await alice.ok('GET', path('both')), { by: bob.userId });
  assert.deepEqual(await alice.ok('GET', path('mine')), { by: alice.userId });
});

test('what cannot be is refused, or not sent when its time comes', async () => {
  const [alice, bob] = await Promise.all([register(), register()]);
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const path = `${bob.room(roomId)}/send/m.room.message/x`;
  assert.equal(await bob.refused('PUT', withDelay(path, 5), {}), '403 M_FORBIDDEN');
  assert.equal(await alice.refused('PUT', withDelay(path, -5), {}), '400 M_INVALID_PARAM');
  assert.equal(await alice.refused('PUT', withDelay(path, 'soon'), {}), '400 M_INVALID_PARAM');
  const long = await alice.request('PUT', withDelay(path, day + 1), {});
  assert.deepEqual(
    [
      long.status,
      long.body['org.matrix.msc4140.errcode'],
      long.body['org.matrix.msc4140.max_delay'],
    ],
    [400, 'M_MAX_DELAY_EXCEEDED', day],
  );
  assert.equal(await alice.refused('POST', `${base}/x`, {}), '400 M_MISSING_PARAM');
  assert.equal(await alice.refused('POST', `${base}/x`, { action: 'do' }), '400 M_INVALID_PARAM');
  assert.equal(await alice.refused('POST', `${base}/x/do`, {}), '404 M_UNRECOGNIZED');

  await bob.join(roomId);
  await later(bob, roomId, 'never', 500);
  await bob.ok('POST', `${bob.room(roomId)}/leave`, {});
  await eventually(async () => assert.deepEqual(await waiting(bob), []));
  assert.deepEqual(await bodies(alice, roomId), []);
  const many = Array.from({ length: 100 }, () => later(alice, roomId, 'many', day));
  await Promise.all(many);
  const over = await alice.request('PUT', withDelay(`${path}y`, 5), {});
  assert.deepEqual(
    [over.status, over.body['org.matrix.msc4140.errcode']],
    [400, 'M_MAX_DELAYED_EVENTS_EXCEEDED'],
  );
});

test('what was due while the server was away is sent when it is back', onceOnly, async () => {
  const { dataDir, configPaths } = await makeDataDir();
  const own = new ServerProcess(configPaths);
  try {
    await own.start();
    const alice = await TestClient.register(own.url, 'alice');
    const roomId = await alice.createRoom();
    await later(alice, roomId, 'one', 300);
    await later(alice, roomId, 'two', 300);
    await later(alice, roomId, 'much later', day);
    await own.end('SIGKILL');
    await own.start();
    await eventually(async () => assert.deepEqual(await bodies(alice, roomId), ['one', 'two']));
    assert.equal((await waiting(alice)).length, 1);
  } finally {
    await own.end('SIGTERM');
    await rm(dataDir, { recursive: true, force: true });
  }
});
