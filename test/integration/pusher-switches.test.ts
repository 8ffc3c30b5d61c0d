import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startPushGateway, type PushGateway } from '../harness/push-gateway.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let gateway: PushGateway;
let server: TestServer;
before(async () => {
  gateway = await startPushGateway();
  server = await startTestServer(`
ip_range_whitelist: [127.0.0.1]
experimental_features: { msc3881_enabled: true }
`);
});
after(async () => {
  await server.close();
  await gateway.close();
});

const v3 = '/_matrix/client/v3';
const enabled = 'org.matrix.msc3881.enabled';
const deviceId = 'org.matrix.msc3881.device_id';

const wish = (changes: Json = {}): Json => ({
  kind: 'http',
  app_id: 'org.example.app',
  app_display_name: 'App',
  device_display_name: 'Phone',
  pushkey: uniqueName('key'),
  lang: 'en',
  data: { url: gateway.url },
  ...changes,
});
const set = (client: TestClient, body: Json) => client.ok('POST', `${v3}/pushers/set`, body);
const pushersOf = async (client: TestClient) =>
  (await client.ok('GET', `${v3}/pushers`))['pushers'] as Json[];

/** Another session of a user. */
async function logIn(user: TestClient): Promise<TestClient> {
  const device = new TestClient(server.url);
  const localpart = user.userId.slice(1).split(':')[0]!;
  const body = await device.ok('POST', `${v3}/login`, {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: localpart },
    password: `password of ${localpart}`,
  });
  device.token = body['access_token'] as string;
  return device;
}

test('a pusher is switched off and on again, also by another device', async () => {
  const [alice, bob] = await Promise.all([
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'bob'),
  ]);
  const features = (await alice.ok('GET', '/_matrix/client/versions'))['unstable_features'] as Json;
  assert.equal(features['org.matrix.msc3881'], true);
  const roomId = await bob.createRoom({ preset: 'public_chat' });
  await alice.join(roomId);
  const pusher = wish();
  await set(alice, pusher);
  const shown = { ...pusher, profile_tag: '', [enabled]: true, [deviceId]: alice.deviceId };
  assert.deepEqual(await pushersOf(alice), [shown]);
  const pushed = (count: number) =>
    eventually(async () => {
      const ids = gateway.pushes(pusher['pushkey'] as string).map((push) => push['event_id']);
      const unique = [...new Set(ids.filter((id) => id !== undefined))];
      assert.equal(unique.length, count, JSON.stringify(unique));
      return unique;
    });
  const first = await bob.send(roomId, 'first');
  assert.deepEqual(await pushed(1), [first]);

  const other = await logIn(alice);
  await set(other, { ...pusher, [enabled]: false });
  assert.deepEqual(await pushersOf(alice), [{ ...shown, [enabled]: false }]);
  await bob.send(roomId, 'nobody is told');
  await set(other, { ...pusher, [enabled]: true });
  assert.deepEqual(await pushersOf(alice), [shown], 'it is still the pusher of its device');
  const last = await bob.send(roomId, 'last');
  assert.deepEqual(await pushed(2), [first, last]);
  await other.ok('POST', `${v3}/logout`, {});
  assert.deepEqual(await pushersOf(alice), [shown]);
});

test('a pusher can be set while it is off', async () => {
  const [alice, bob] = await Promise.all([
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'bob'),
  ]);
  const roomId = await bob.createRoom({ preset: 'public_chat' });
  await alice.join(roomId);
  const [off, on] = [wish({ [enabled]: false }), wish()];
  await set(alice, off);
  await set(alice, on);
  const eventId = await bob.send(roomId, 'for one');
  await eventually(async () => {
    const ids = gateway.pushes(on['pushkey'] as string).map((push) => push['event_id']);
    assert.ok(ids.includes(eventId));
  });
  assert.deepEqual(gateway.pushes(off['pushkey'] as string), []);
  assert.equal(
    await alice.refused('POST', `${v3}/pushers/set`, wish({ [enabled]: 'no' })),
    '400 M_INVALID_PARAM',
  );
});
