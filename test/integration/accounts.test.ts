import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer(`
login_via_existing_session: { enabled: true, require_ui_auth: true }
allow_guest_access: true`);
});
after(() => server.close());

const v3 = '/_matrix/client/v3';

const passwordOf = (client: TestClient) => `password of ${client.userId.slice(1).split(':')[0]}`;

const passwordAuth = (client: TestClient, password = passwordOf(client)): Json => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user: client.userId },
  password,
});

/** Another device of the same user. */
async function logIn(client: TestClient, more: Json = {}): Promise<TestClient> {
  const other = new TestClient(client.url);
  const body = await other.ok('POST', `${v3}/login`, { ...passwordAuth(client), ...more });
  other.userId = body['user_id'] as string;
  other.token = body['access_token'] as string;
  other.deviceId = body['device_id'] as string;
  return other;
}

test('registration: flows, session, a name that is taken or cannot be', async () => {
  const stranger = new TestClient(server.url);
  const [username, password] = [uniqueName('new'), 'a password'];
  const path = `${v3}/register`;
  const challenge = await stranger.request('POST', path, { username, password });
  assert.equal(challenge.status, 401);
  assert.deepEqual(challenge.body['flows'], [{ stages: ['m.login.dummy'] }]);
  const session = challenge.body['session'] as string;
  // The password was sent already and need not be sent again.
  const made = await stranger.ok('POST', path, {
    username,
    device_id: 'PHONE',
    initial_device_display_name: 'Phone',
    auth: { type: 'm.login.dummy', session },
  });
  assert.equal(made['user_id'], `@${username}:test.example`);
  assert.equal(made['device_id'], 'PHONE');
  const client = new TestClient(server.url);
  client.userId = made['user_id'];
  await logIn(client, passwordAuth(client, password));
  const auth = { type: 'm.login.dummy' };
  const register = (body: Json) => stranger.refused('POST', path, { auth, password, ...body });
  assert.equal(await register({ username }), '400 M_USER_IN_USE');
  assert.equal(await register({ username: username.toUpperCase() }), '400 M_USER_IN_USE');
  const without = { username: uniqueName('new'), password: undefined };
  assert.equal(await register(without), '400 M_MISSING_PARAM');
  assert.equal(await register({ username: 'with space' }), '400 M_INVALID_USERNAME');
  assert.equal(await register({ username: 'ü' }), '400 M_INVALID_USERNAME');
  assert.equal(await register({ username: 'x'.repeat(250) }), '400 M_INVALID_USERNAME');
  const free = (name: string) => `${path}/available?username=${name}`;
  assert.equal(await stranger.refused('GET', free(username)), '400 M_USER_IN_USE');
  assert.deepEqual(await stranger.ok('GET', free(uniqueName('free'))), { available: true });
});

test('registration: without log-in, with a name of the server’s choice, as a guest', async () => {
  const stranger = new TestClient(server.url);
  const auth = { type: 'm.login.dummy' };
  const inhibited = await stranger.ok('POST', `${v3}/register`, {
    auth,
    password: 'x',
    inhibit_login: true,
  });
  assert.match(inhibited['user_id'] as string, /^@\d+:test\.example$/);
  assert.equal(inhibited['access_token'], undefined);
  const guest = new TestClient(server.url);
  const made = await guest.ok('POST', `${v3}/register?kind=guest`, {});
  guest.token = made['access_token'] as string;
  const whoami = await guest.ok('GET', `${v3}/account/whoami`);
  assert.equal(whoami['user_id'], made['user_id']);
  assert.equal(whoami['is_guest'], true);
  assert.equal(await guest.refused('POST', `${v3}/createRoom`, {}), '403 M_GUEST_ACCESS_FORBIDDEN');
  assert.equal(
    await stranger.refused('POST', `${v3}/register?kind=other`, {}),
    '400 M_INVALID_PARAM',
  );
});

test('a session of interactive authentication is good for what it was begun for', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const [phone, desk] = [await logIn(alice), await logIn(alice)];
  const remove = (body: Json) => alice.request('POST', `${v3}/delete_devices`, body);
  const devices = [phone.deviceId];
  const challenge = await remove({ devices });
  assert.equal(challenge.status, 401);
  const session = challenge.body['session'] as string;
  const wrong = await remove({ devices, auth: { ...passwordAuth(alice, 'wrong'), session } });
  assert.equal(wrong.status, 401);
  assert.equal(wrong.body['errcode'], 'M_FORBIDDEN');
  assert.equal(wrong.body['session'], session);
  const auth = { ...passwordAuth(alice), session };
  const other = await remove({ devices: [desk.deviceId], auth });
  assert.equal(`${other.status} ${other.body['errcode']}`, '403 M_FORBIDDEN');
  const bob = await TestClient.register(server.url, 'bob');
  const foreign = await bob.request('POST', `${v3}/delete_devices`, { devices, auth });
  assert.notEqual(foreign.status, 200);
  assert.equal((await remove({ devices, auth })).status, 200);
  assert.equal(await phone.refused('GET', `${v3}/account/whoami`), '401 M_UNKNOWN_TOKEN');
  await desk.ok('GET', `${v3}/account/whoami`);
  const unknown = await remove({ devices, auth: { ...auth, session: 'unknown' } });
  assert.equal(unknown.status, 400);
});

test('log-in: types, wrong passwords, the same device again', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const stranger = new TestClient(server.url);
  const flows = (await stranger.ok('GET', `${v3}/login`))['flows'] as Json[];
  const types = flows.map((flow) => flow['type'] as string);
  assert.ok(types.includes('m.login.password') && types.includes('m.login.token'));
  const login = (body: Json) => stranger.refused('POST', `${v3}/login`, body);
  assert.equal(await login(passwordAuth(alice, 'wrong')), '403 M_FORBIDDEN');
  const nobody = { identifier: { type: 'm.id.user', user: 'nobody' } };
  assert.equal(await login({ ...passwordAuth(alice), ...nobody }), '403 M_FORBIDDEN');
  assert.equal(await login({ type: 'm.login.unknown' }), '400 M_UNKNOWN');
  assert.equal(await login({}), '400 M_MISSING_PARAM');
  // The old form, and a localpart instead of the whole id.
  const localpart = alice.userId.slice(1).split(':')[0]!;
  const old = { identifier: undefined, user: localpart };
  const phone = await logIn(alice, { ...old, device_id: 'PHONE' });
  assert.equal(phone.userId, alice.userId);
  const again = await logIn(alice, { device_id: 'PHONE' });
  assert.equal(again.deviceId, 'PHONE');
  assert.equal(await phone.refused('GET', `${v3}/account/whoami`), '401 M_UNKNOWN_TOKEN');
  assert.deepEqual(await again.ok('GET', `${v3}/account/whoami`), {
    user_id: alice.userId,
    device_id: 'PHONE',
    is_guest: false,
  });
});

test('log-in: a token made by an existing session is good once', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const path = '/_matrix/client/v1/login/get_token';
  assert.equal((await alice.request('POST', path, {})).status, 401);
  const made = await alice.ok('POST', path, { auth: passwordAuth(alice) });
  assert.ok(made['expires_in_ms'] > 0);
  const login = { type: 'm.login.token', token: made['login_token'] as string };
  const other = new TestClient(server.url);
  const body = await other.ok('POST', `${v3}/login`, login);
  assert.equal(body['user_id'], alice.userId);
  assert.notEqual(body['device_id'], alice.deviceId);
  assert.equal(await other.refused('POST', `${v3}/login`, login), '403 M_FORBIDDEN');
});

test('refresh tokens: each is good until what followed it is used', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const body = { ...passwordAuth(alice), refresh_token: true };
  const session = new TestClient(server.url);
  const first = await session.ok('POST', `${v3}/login`, body);
  assert.ok(first['expires_in_ms'] > 0);
  const refresh = (token: unknown) =>
    session.request('POST', `${v3}/refresh`, { refresh_token: token });
  const second = (await refresh(first['refresh_token'])).body;
  const lost = (await refresh(first['refresh_token'])).body;
  assert.equal(typeof lost['access_token'], 'string', 'an answer may be lost on the way');
  session.token = lost['access_token'] as string;
  assert.equal((await session.ok('GET', `${v3}/account/whoami`))['device_id'], first['device_id']);
  const stale = await refresh(first['refresh_token']);
  assert.equal(`${stale.status} ${stale.body['errcode']}`, '401 M_UNKNOWN_TOKEN');
  assert.notEqual(second['access_token'], lost['access_token']);
  await session.ok('POST', `${v3}/logout`, {});
  assert.equal((await refresh(lost['refresh_token'])).status, 401);
});

test('logging out ends one session, or all', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const [phone, desk] = [await logIn(alice), await logIn(alice)];
  await phone.ok('POST', `${v3}/logout`, {});
  assert.equal(await phone.refused('GET', `${v3}/account/whoami`), '401 M_UNKNOWN_TOKEN');
  const list = async () =>
    ((await desk.ok('GET', `${v3}/devices`))['devices'] as Json[]).map((one) => one['device_id']);
  assert.ok(!(await list()).includes(phone.deviceId), 'the device is gone too');
  await desk.ok('POST', `${v3}/logout/all`, {});
  for (const client of [alice, desk]) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await client.refused('GET', `${v3}/account/whoami`), '401 M_UNKNOWN_TOKEN');
  }
});

test('a new password: the old one is void, other sessions end unless they are to stay', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const phone = await logIn(alice);
  const path = `${v3}/account/password`;
  const change = (from: string, to: string, more: Json = {}) =>
    alice.ok('POST', path, { new_password: to, auth: passwordAuth(alice, from), ...more });
  await change(passwordOf(alice), 'second', { logout_devices: false });
  await phone.ok('GET', `${v3}/account/whoami`);
  await change('second', 'third');
  assert.equal(await phone.refused('GET', `${v3}/account/whoami`), '401 M_UNKNOWN_TOKEN');
  await alice.ok('GET', `${v3}/account/whoami`);
  const login = (password: string) =>
    new TestClient(server.url).request('POST', `${v3}/login`, passwordAuth(alice, password));
  assert.equal((await login('second')).status, 403);
  assert.equal((await login('third')).status, 200);
  assert.equal((await alice.request('POST', path, { new_password: 'x' })).status, 401);
});

test('devices: list, name, delete, and those of others stay hidden', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const phone = await logIn(alice, { initial_device_display_name: 'Phone' });
  const path = `${v3}/devices/${phone.deviceId}`;
  const device = await alice.ok('GET', path);
  assert.equal(device['display_name'], 'Phone');
  await alice.ok('PUT', path, { display_name: 'Old phone' });
  const { devices } = await alice.ok('GET', `${v3}/devices`);
  assert.deepEqual(
    (devices as Json[]).find((one) => one['device_id'] === phone.deviceId)!['display_name'],
    'Old phone',
  );
  const bob = await TestClient.register(server.url, 'bob');
  assert.equal(await bob.refused('GET', path), '404 M_NOT_FOUND');
  assert.equal(await bob.refused('PUT', path, { display_name: 'x' }), '404 M_NOT_FOUND');
  const challenge = await alice.request('DELETE', path, {});
  assert.equal(challenge.status, 401);
  await alice.ok('DELETE', path, { auth: passwordAuth(alice) });
  assert.equal(await alice.refused('GET', path), '404 M_NOT_FOUND');
  assert.equal(await phone.refused('GET', `${v3}/account/whoami`), '401 M_UNKNOWN_TOKEN');
});

test('profiles: fields of the specification and others, and their limits', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const bob = await TestClient.register(server.url, 'bob');
  const path = (field = '') => `${v3}/profile/${alice.userId}${field && `/${field}`}`;
  await alice.ok('PUT', path('displayname'), { displayname: 'Alice' });
  await alice.ok('PUT', path('avatar_url'), { avatar_url: 'mxc://test.example/a' });
  await alice.ok('PUT', path('m.tz'), { 'm.tz': 'Europe/Berlin' });
  await alice.ok('PUT', path('org.example.pet'), { 'org.example.pet': { name: 'Rex' } });
  assert.deepEqual(await bob.ok('GET', path()), {
    displayname: 'Alice',
    avatar_url: 'mxc://test.example/a',
    'm.tz': 'Europe/Berlin',
    'org.example.pet': { name: 'Rex' },
  });
  assert.deepEqual(await bob.ok('GET', path('m.tz')), { 'm.tz': 'Europe/Berlin' });
  assert.equal(await bob.refused('PUT', path('m.tz'), { 'm.tz': 'UTC' }), '403 M_FORBIDDEN');
  await alice.ok('DELETE', path('org.example.pet'));
  assert.equal(await bob.refused('GET', path('org.example.pet')), '404 M_NOT_FOUND');
  const long = 'x'.repeat(256);
  assert.equal(await alice.refused('PUT', path(long), { [long]: 1 }), '400 M_KEY_TOO_LARGE');
  const tooMuch = { 'org.example.much': 'x'.repeat(65_536) };
  const much = await alice.refused('PUT', path('org.example.much'), tooMuch);
  assert.equal(much, '400 M_PROFILE_TOO_LARGE');
  assert.equal(await alice.refused('PUT', path('m.tz'), { other: 1 }), '400 M_MISSING_PARAM');
  assert.equal(await bob.refused('GET', `${v3}/profile/@nobody:test.example`), '404 M_NOT_FOUND');
});

test('profiles: name and picture reach the rooms', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const roomId = await alice.createRoom();
  const member = `${alice.room(roomId)}/state/m.room.member/${alice.userId}`;
  const name = `${v3}/profile/${alice.userId}/displayname`;
  await alice.ok('PUT', name, { displayname: 'Alice' });
  assert.equal((await alice.ok('GET', member))['displayname'], 'Alice');
  await alice.ok('PUT', `${name}?propagate=false`, { displayname: 'Alice II' });
  assert.equal((await alice.ok('GET', member))['displayname'], 'Alice');
  assert.equal((await alice.ok('GET', name))['displayname'], 'Alice II');
});

test('deactivated: logged out, cannot log in, has left the rooms, the name stays taken', async () => {
  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map((name) => TestClient.register(server.url, name)),
  );
  const roomId = await alice!.createRoom({ preset: 'public_chat' });
  await bob!.join(roomId);
  const knocked = await alice!.createRoom({
    initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }],
  });
  await bob!.ok('POST', `${v3}/knock/${encodeURIComponent(knocked)}`, {});
  const profile = `${v3}/profile/${bob!.userId}`;
  await bob!.ok('PUT', `${profile}/displayname`, { displayname: 'Bob' });
  const phone = await logIn(bob!);
  const path = `${v3}/account/deactivate`;
  assert.equal((await bob!.request('POST', path, {})).status, 401);
  const body = { auth: passwordAuth(bob!), erase: true };
  const done = await bob!.ok('POST', path, body);
  assert.equal(done['id_server_unbind_result'], 'success');
  assert.equal(await phone.refused('GET', `${v3}/account/whoami`), '401 M_UNKNOWN_TOKEN');
  const login = await phone.refused('POST', `${v3}/login`, passwordAuth(bob!));
  assert.equal(login, '403 M_USER_DEACTIVATED');
  for (const id of [roomId, knocked]) {
    const member = `${alice!.room(id)}/state/m.room.member/${bob!.userId}`;
    // oxlint-disable-next-line no-await-in-loop
    assert.equal((await alice!.ok('GET', member))['membership'], 'leave');
  }
  for (const one of [profile, `${profile}/displayname`]) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await alice!.refused('GET', one), '404 M_NOT_FOUND');
  }
  const username = bob!.userId.slice(1).split(':')[0]!;
  const register = { username, password: 'x', auth: { type: 'm.login.dummy' } };
  assert.equal(await phone.refused('POST', `${v3}/register`, register), '400 M_USER_IN_USE');
});

test('a session of authentication leads to one account, wherever it is finished', async () => {
  const stranger = new TestClient(server.url);
  const begun = await stranger.request('POST', `${v3}/register`, {});
  const { session } = begun.body;
  assert.equal(begun.status, 401);
  const finish = (username: string) =>
    stranger.request('POST', `${v3}/register`, {
      username,
      password: 'a long password',
      auth: { type: 'm.login.dummy', session },
    });
  const names = Array.from({ length: 6 }, (_, i) => `racer${i}_${Date.now()}`);
  const made = await Promise.all(names.map(finish));
  assert.equal(made.filter(({ status }) => status === 200).length, 1);
  assert.equal(made.filter(({ body }) => body['errcode'] === 'M_USER_IN_USE').length, 5);
});

test('OpenID: a token tells a third party who the user is', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const bob = await TestClient.register(server.url, 'bob');
  const path = `${v3}/user/${alice.userId}/openid/request_token`;
  const made = await alice.ok('POST', path, {});
  assert.equal(made['token_type'], 'Bearer');
  assert.equal(made['matrix_server_name'], 'test.example');
  assert.ok(made['expires_in'] > 0);
  assert.equal(await bob.refused('POST', path, {}), '403 M_FORBIDDEN');
  alice.token = made['access_token'] as string;
  assert.equal(await alice.refused('GET', `${v3}/account/whoami`), '401 M_UNKNOWN_TOKEN');
});

test('capabilities and whoami are for users', async () => {
  const stranger = new TestClient(server.url);
  assert.equal(await stranger.refused('GET', `${v3}/capabilities`), '401 M_MISSING_TOKEN');
  stranger.token = 'unknown';
  assert.equal(await stranger.refused('GET', `${v3}/account/whoami`), '401 M_UNKNOWN_TOKEN');
  const alice = await TestClient.register(server.url, 'alice');
  const { capabilities } = await alice.ok('GET', `${v3}/capabilities`);
  assert.equal(capabilities['m.change_password']['enabled'], true);
  assert.equal(capabilities['m.get_login_token']['enabled'], true);
  assert.ok(capabilities['m.room_versions']['available']['12']);
});
