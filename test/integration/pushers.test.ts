import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const v3 = '/_matrix/client/v3';

const wish = (changes: Json = {}): Json => ({
  kind: 'http',
  app_id: 'org.example.app',
  app_display_name: 'App',
  device_display_name: 'Phone',
  pushkey: uniqueName('key'),
  lang: 'en',
  data: { url: 'https://push.example.org/_matrix/push/v1/notify' },
  ...changes,
});

const set = (client: TestClient, body: Json) => client.ok('POST', `${v3}/pushers/set`, body);
const keysOf = async (client: TestClient) =>
  ((await client.ok('GET', `${v3}/pushers`))['pushers'] as Json[]).map((one) => one['pushkey']);

test('pushers are kept as they were set, and set again by their key', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  assert.deepEqual(await alice.ok('GET', `${v3}/pushers`), { pushers: [] });
  const first = wish({ profile_tag: 'abc' });
  await set(alice, first);
  assert.deepEqual(await alice.ok('GET', `${v3}/pushers`), { pushers: [first] });
  await set(alice, { ...first, lang: 'de' });
  assert.deepEqual(await alice.ok('GET', `${v3}/pushers`), {
    pushers: [{ ...first, lang: 'de' }],
  });
  await set(alice, { kind: null, app_id: first['app_id'], pushkey: first['pushkey'] });
  assert.deepEqual(await keysOf(alice), []);
});

test('a key is one user’s, unless the pusher is appended', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const bob = await TestClient.register(server.url, 'bob');
  const shared = wish();
  await set(alice, shared);
  await set(bob, { ...shared, append: true });
  assert.deepEqual(await keysOf(alice), [shared['pushkey']]);
  await set(bob, shared);
  assert.deepEqual(await keysOf(alice), []);
  assert.deepEqual(await keysOf(bob), [shared['pushkey']]);
});

test('admins see the pushers of users', async () => {
  const admin = await registerAdmin(server.url);
  const alice = await TestClient.register(server.url, 'alice');
  const pusher = wish({ profile_tag: '' });
  await set(alice, pusher);
  const path = (userId: string) => `/_synapse/admin/v1/users/${encodeURIComponent(userId)}/pushers`;
  assert.deepEqual(await admin.ok('GET', path(alice.userId)), { pushers: [pusher], total: 1 });
  assert.deepEqual(await admin.ok('GET', path(admin.userId)), { pushers: [], total: 0 });
  assert.equal(await alice.refused('GET', path(alice.userId)), '403 M_FORBIDDEN');
  assert.equal(await admin.refused('GET', path('@nobody:test.example')), '404 M_NOT_FOUND');
  assert.equal(await admin.refused('GET', path('@bob:elsewhere')), '400 M_INVALID_PARAM');
});

test('what cannot be pushed to is refused', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const refusals: [Json, string][] = [
    [{ kind: 'pigeon' }, '400 M_INVALID_PARAM'],
    [{ pushkey: 'é'.repeat(257) }, '400 M_INVALID_PARAM'],
    [{ app_id: 'a'.repeat(65) }, '400 M_INVALID_PARAM'],
    [{ data: {} }, '400 M_MISSING_PARAM'],
    [{ data: { url: 'https://push.example.org/other' } }, '400 M_MISSING_PARAM'],
    [{ data: { url: 'ftp://push.example.org/_matrix/push/v1/notify' } }, '400 M_INVALID_PARAM'],
    [{ kind: 'email', pushkey: 'me@example.org', data: {} }, '400 M_THREEPID_NOT_FOUND'],
    [{ lang: undefined }, '400 M_MISSING_PARAM'],
  ];
  for (const [changes, answer] of refusals) {
    // oxlint-disable-next-line no-await-in-loop
    const refused = await alice.refused('POST', `${v3}/pushers/set`, wish(changes));
    assert.equal(refused, answer, JSON.stringify(changes));
  }
  assert.deepEqual(await keysOf(alice), []);
});

test('pushers go with the session that made them', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const kept = wish();
  await set(alice, kept);
  const login = async () => {
    const other = new TestClient(server.url);
    const user = alice.userId.slice(1).split(':')[0];
    const body = await other.ok('POST', `${v3}/login`, {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user },
      password: `password of ${user}`,
    });
    other.token = body['access_token'] as string;
    return other;
  };
  const second = await login();
  await set(second, wish());
  await second.ok('POST', `${v3}/logout`, {});
  assert.deepEqual(await keysOf(alice), [kept['pushkey']]);
  await set(await login(), wish());
  const user = alice.userId.slice(1).split(':')[0];
  const auth = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user },
    password: `password of ${user}`,
  };
  await alice.ok('POST', `${v3}/account/password`, { new_password: 'another one 17', auth });
  assert.deepEqual(await keysOf(alice), [kept['pushkey']]);
});

test('notifications are those the rules ask for, newest first, in pages', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const bob = await TestClient.register(server.url, 'bob');
  const roomId = await bob.createRoom({ preset: 'public_chat' });
  await bob.send(roomId, 'before alice came');
  await alice.join(roomId);
  const first = await bob.send(roomId, 'one');
  const second = await bob.send(roomId, `hello ${alice.userId.slice(1).split(':')[0]}`);
  await alice.send(roomId, 'mine');
  const get = (query: string) => alice.ok('GET', `${v3}/notifications${query}`);
  const idsOf = (page: Json) =>
    (page['notifications'] as Json[]).map((one) => one['event'].event_id);
  await eventually(async () => assert.deepEqual(idsOf(await get('')), [second, first]));
  const page = await get('?limit=1');
  assert.deepEqual(idsOf(page), [second]);
  assert.equal(page['notifications'][0].read, false);
  assert.equal(page['notifications'][0].room_id, roomId);
  assert.deepEqual(idsOf(await get(`?limit=1&from=${page['next_token']}`)), [first]);
  const highlights = await get('?only=highlight');
  assert.deepEqual(idsOf(highlights), [second]);
  await alice.ok('POST', `${alice.room(roomId)}/receipt/m.read/${encodeURIComponent(first)}`, {});
  await eventually(async () => {
    const read = ((await get(''))['notifications'] as Json[]).map((one) => one['read']);
    assert.deepEqual(read, [false, true]);
  });
  assert.equal(await alice.refused('GET', `${v3}/notifications?from=x`), '400 M_INVALID_PARAM');
});

test('an invitation is a notification', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const bob = await TestClient.register(server.url, 'bob');
  const roomId = await bob.createRoom({ invite: [alice.userId] });
  const { notifications } = await alice.ok('GET', `${v3}/notifications`);
  assert.equal(notifications.length, 1);
  assert.equal(notifications[0].room_id, roomId);
  assert.equal(notifications[0].event.type, 'm.room.member');
});
