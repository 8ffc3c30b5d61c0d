import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const v3 = '/_matrix/client/v3';
const path = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device';
const deviceData = { algorithm: 'org.matrix.msc3814.v2', device_pickle: 'abc', nonce: 'n' };

const signatures = (client: TestClient, deviceId: string) => ({
  [client.userId]: { [`ed25519:${deviceId}`]: 'signature' },
});

function deviceKeys(client: TestClient, deviceId: string): Json {
  return {
    user_id: client.userId,
    device_id: deviceId,
    algorithms: ['m.olm.v1.curve25519-aes-sha2'],
    keys: { [`ed25519:${deviceId}`]: 'a', [`curve25519:${deviceId}`]: 'b' },
    dehydrated: true,
    signatures: signatures(client, deviceId),
  };
}

const wishFor = (client: TestClient, deviceId: string): Json => ({
  device_id: deviceId,
  device_data: deviceData,
  initial_device_display_name: 'Left behind',
  device_keys: deviceKeys(client, deviceId),
  one_time_keys: {
    'signed_curve25519:AAAA': { key: 'otk', signatures: signatures(client, deviceId) },
  },
  fallback_keys: {
    'signed_curve25519:BBBB': {
      key: 'fallback',
      fallback: true,
      signatures: signatures(client, deviceId),
    },
  },
});

async function leaveBehind(client: TestClient, deviceId: string): Promise<void> {
  const made = await client.ok('PUT', path, wishFor(client, deviceId));
  assert.deepEqual(made, { device_id: deviceId });
}

const sendTo = (from: TestClient, to: TestClient, deviceId: string, txnId: string) =>
  from.ok('PUT', `${v3}/sendToDevice/m.room.encrypted/${txnId}`, {
    messages: { [to.userId]: { [deviceId]: { ciphertext: txnId } } },
  });

async function logIn(client: TestClient): Promise<TestClient> {
  const other = new TestClient(client.url);
  const localpart = client.userId.slice(1).split(':')[0]!;
  const body = await other.ok('POST', `${v3}/login`, {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: client.userId },
    password: `password of ${localpart}`,
  });
  other.token = body['access_token'] as string;
  other.userId = client.userId;
  return other;
}

test('a dehydrated device has keys and gets messages while its user is logged out', async () => {
  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map((name) => TestClient.register(server.url, name)),
  );
  assert.equal(await alice!.refused('GET', path), '404 M_NOT_FOUND');
  await leaveBehind(alice!, 'DEHYDRATED');
  assert.deepEqual(await alice!.ok('GET', path), {
    device_id: 'DEHYDRATED',
    device_data: deviceData,
  });
  const { devices } = await alice!.ok('GET', `${v3}/devices`);
  const listed = (devices as Json[]).find((one) => one['device_id'] === 'DEHYDRATED')!;
  assert.deepEqual([listed['display_name'], listed['dehydrated']], ['Left behind', true]);
  await alice!.ok('POST', `${v3}/logout/all`, {});
  const query = { device_keys: { [alice!.userId]: [] } };
  const found = (await bob!.ok('POST', `${v3}/keys/query`, query))['device_keys'] as Json;
  assert.deepEqual(Object.keys(found[alice!.userId]), ['DEHYDRATED']);
  assert.equal(found[alice!.userId]['DEHYDRATED'].dehydrated, true);
  const claim = {
    one_time_keys: { [alice!.userId]: { DEHYDRATED: 'signed_curve25519' } },
  };
  const keyOf = async () => {
    const claimed = (await bob!.ok('POST', `${v3}/keys/claim`, claim))['one_time_keys'] as Json;
    return Object.keys(claimed[alice!.userId]['DEHYDRATED']);
  };
  assert.deepEqual(await keyOf(), ['signed_curve25519:AAAA']);
  assert.deepEqual(await keyOf(), ['signed_curve25519:BBBB']);
  await sendTo(bob!, alice!, 'DEHYDRATED', 't1');
  await sendTo(bob!, alice!, 'DEHYDRATED', 't2');
  await sendTo(bob!, alice!, 'DEHYDRATED', 't3');
  const phone = await logIn(alice!);
  const events = `${path}/DEHYDRATED/events`;
  const textsOf = (page: Json) =>
    (page['events'] as Json[]).map((event) => event['content'].ciphertext as string);
  const first = await phone.ok('POST', `${events}?limit=2`, {});
  assert.deepEqual(textsOf(first), ['t1', 't2']);
  assert.equal(first['limited'], true);
  assert.equal((first['events'] as Json[])[0]!['sender'], bob!.userId);
  const second = await phone.ok('POST', events, { next_batch: first['next_batch'] });
  assert.deepEqual(textsOf(second), ['t3']);
  const third = await phone.ok('POST', events, { next_batch: second['next_batch'] });
  assert.deepEqual(third['events'], []);
  assert.deepEqual(textsOf(await phone.ok('POST', events, {})), ['t1', 't2', 't3']);
  assert.deepEqual(await phone.ok('DELETE', path), { device_id: 'DEHYDRATED' });
  assert.equal(await phone.refused('GET', path), '404 M_NOT_FOUND');
  assert.equal(await phone.refused('POST', events, {}), '403 M_FORBIDDEN');
  const gone = (await bob!.ok('POST', `${v3}/keys/query`, query))['device_keys'] as Json;
  assert.deepEqual(gone[alice!.userId] ?? {}, {});
});

test('a new one takes the place of the old, also under the same id', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  await leaveBehind(alice, 'FIRST');
  await leaveBehind(alice, 'SECOND');
  await leaveBehind(alice, 'SECOND');
  const ids = async () =>
    ((await alice.ok('GET', `${v3}/devices`))['devices'] as Json[])
      .map((one) => one['device_id'] as string)
      .toSorted();
  assert.deepEqual(await ids(), ['SECOND', alice.deviceId].toSorted());
  assert.equal((await alice.ok('GET', path))['device_id'], 'SECOND');
});

test('what is wrong is refused and leaves no device behind', async () => {
  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map((name) => TestClient.register(server.url, name)),
  );
  const put = (body: Json) => alice!.refused('PUT', path, body);
  const wish = wishFor(alice!, 'NEW');
  assert.equal(await put({ ...wish, device_keys: undefined }), '400 M_MISSING_PARAM');
  assert.equal(await put({ ...wish, device_data: 'text' }), '400 M_BAD_JSON');
  const foreign = { ...wish, device_keys: deviceKeys(bob!, 'NEW') };
  assert.equal(await put(foreign), '400 M_INVALID_PARAM');
  const own = { ...wish, device_id: alice!.deviceId };
  assert.equal(await put(own), '400 M_INVALID_PARAM');
  assert.equal(await alice!.refused('GET', `${v3}/devices/NEW`), '404 M_NOT_FOUND');
  await alice!.ok('GET', `${v3}/account/whoami`);
  await leaveBehind(alice!, 'NEW');
  const events = `${path}/NEW/events`;
  assert.equal(await bob!.refused('POST', events, {}), '403 M_FORBIDDEN');
  assert.equal(await alice!.refused('POST', events, { next_batch: 'x' }), '400 M_INVALID_PARAM');
});
