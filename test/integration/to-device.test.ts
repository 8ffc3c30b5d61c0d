import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let alice: TestClient;
let bob: TestClient;

before(async () => {
  server = await startTestServer();
  [alice, bob] = await Promise.all([
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'bob'),
  ]);
});
after(() => server.close());

const sendPath = (type: string, txnId: string) =>
  `/_matrix/client/v3/sendToDevice/${encodeURIComponent(type)}/${encodeURIComponent(txnId)}`;
let transactions = 0;

async function send(
  from: TestClient,
  messages: Record<string, Record<string, Json>>,
  txnId = `t${++transactions}`,
): Promise<void> {
  await from.ok('PUT', sendPath('m.test', txnId), { messages });
}

const toBob = (n: number) => ({ [bob.userId]: { [bob.deviceId]: { n } } });
const numbers = (answer: Json) =>
  ((answer['to_device']?.events ?? []) as Json[]).map((event) => event['content'].n as number);

/** Another device of a user. */
async function logIn(user: TestClient): Promise<TestClient> {
  const device = new TestClient(server.url);
  const localpart = user.userId.slice(1).split(':')[0]!;
  const body = await device.ok('POST', '/_matrix/client/v3/login', {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: localpart },
    password: `password of ${localpart}`,
  });
  device.userId = user.userId;
  device.token = body['access_token'] as string;
  device.deviceId = body['device_id'] as string;
  return device;
}

test('a message arrives as it was sent, until the device has synced on', async () => {
  const { next_batch: since } = await bob.sync();
  await send(alice, toBob(1));
  const answer = await bob.sync({ since });
  assert.deepEqual(answer['to_device'].events, [
    { content: { n: 1 }, sender: alice.userId, type: 'm.test' },
  ]);
  assert.deepEqual(numbers(await bob.sync({ since })), [1], 'the answer may have been lost');
  const next = answer['next_batch'] as string;
  assert.deepEqual(numbers(await bob.sync({ since: next })), []);
  assert.deepEqual(numbers(await bob.sync()), [], 'what was acknowledged is gone');
});

test('a device that waits is woken, another one of the user is not told', async () => {
  const other = await logIn(bob);
  const [{ next_batch: since }, { next_batch: otherSince }] = await Promise.all([
    bob.sync(),
    other.sync(),
  ]);
  const [answer] = await Promise.all([
    bob.syncUntil({ since, timeout: '20000' }, (sync) => numbers(sync).length > 0),
    send(alice, toBob(2)),
  ]);
  assert.deepEqual(numbers(answer), [2]);
  assert.deepEqual(numbers(await other.sync({ since: otherSince })), []);
});

test('the asterisk means all devices', async () => {
  const other = await logIn(bob);
  const [{ next_batch: since }, { next_batch: otherSince }] = await Promise.all([
    bob.sync(),
    other.sync(),
  ]);
  await send(alice, { [bob.userId]: { '*': { n: 3 } } });
  assert.deepEqual(numbers(await bob.sync({ since })), [3]);
  assert.deepEqual(numbers(await other.sync({ since: otherSince })), [3]);
});

test('a transaction id counts once, for its device and event type', async () => {
  const { next_batch: since } = await bob.sync();
  await send(alice, toBob(4), 'same');
  await Promise.all([send(alice, toBob(5), 'same'), send(alice, toBob(6), 'same')]);
  await alice.ok('PUT', sendPath('m.other', 'same'), { messages: toBob(7) });
  const again = await logIn(alice);
  await send(again, toBob(8), 'same');
  assert.deepEqual(numbers(await bob.sync({ since })), [4, 7, 8]);
});

test('a hundred messages come at once, the others with the syncs after', async () => {
  const { next_batch: since } = await bob.sync();
  const all = Array.from({ length: 230 }, (_, n) => n);
  for (const n of all) {
    // One after the other, for their order is looked at.
    // oxlint-disable-next-line no-await-in-loop
    await send(alice, toBob(n));
  }
  const first = await bob.sync({ since });
  const second = await bob.sync({ since: first['next_batch'] });
  const secondAgain = await bob.sync({ since: first['next_batch'] });
  const third = await bob.sync({ since: second['next_batch'], timeout: '20000' });
  assert.deepEqual(numbers(first), all.slice(0, 100));
  assert.deepEqual(numbers(second), all.slice(100, 200));
  assert.deepEqual(numbers(secondAgain), numbers(second));
  assert.deepEqual(numbers(third), all.slice(200));
  assert.deepEqual(numbers(await bob.sync({ since: third['next_batch'] })), []);
});

test('what waits for a device is there at its first sync, and gone with the device', async () => {
  const other = await logIn(bob);
  const messages = { [bob.userId]: { [other.deviceId]: { n: 9 } } };
  await send(alice, messages);
  assert.deepEqual(numbers(await other.sync()), [9]);
  await other.ok('POST', '/_matrix/client/v3/logout', {});
  await send(alice, messages);
  const back = new TestClient(server.url);
  const localpart = bob.userId.slice(1).split(':')[0]!;
  const body = await back.ok('POST', '/_matrix/client/v3/login', {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: localpart },
    password: `password of ${localpart}`,
    device_id: other.deviceId,
  });
  back.token = body['access_token'] as string;
  assert.deepEqual(numbers(await back.sync()), []);
});

test('unknown users and devices are passed over, what is too large is refused', async () => {
  await send(alice, { '@nobody:test.example': { X: { n: 1 } }, [bob.userId]: { 'no such': {} } });
  const large = { [bob.userId]: { [bob.deviceId]: { text: 'x'.repeat(70_000) } } };
  assert.equal(
    await alice.refused('PUT', sendPath('m.test', 'large'), { messages: large }),
    '413 M_TOO_LARGE',
  );
  assert.equal(
    await alice.refused('PUT', sendPath('m.test', 'bad'), { messages: { [bob.userId]: 'x' } }),
    '400 M_BAD_JSON',
  );
});
