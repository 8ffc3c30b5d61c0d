import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let admin: TestClient;
before(async () => {
  server = await startTestServer();
  admin = await registerAdmin(server.url);
});
after(() => server.close());

const api = '/_synapse/admin';
const whoami = '/_matrix/client/v3/account/whoami';
const isRefused = (client: TestClient, code: string) =>
  eventually(async () => assert.equal(await client.refused('GET', whoami), code));

async function logIn(user: string, password: string): Promise<TestClient> {
  const client = new TestClient(server.url);
  const identifier = { type: 'm.id.user', user };
  const made = await client.ok('POST', '/_matrix/client/v3/login', {
    type: 'm.login.password',
    identifier,
    password,
  });
  client.token = made['access_token'] as string;
  client.deviceId = made['device_id'] as string;
  client.userId = user;
  return client;
}

test('a password is reset', async () => {
  const user = await TestClient.register(server.url);
  const path = `${api}/v1/reset_password/${user.userId}`;
  await admin.ok('POST', path, { new_password: 'kept', logout_devices: false });
  await user.ok('GET', whoami);
  await admin.ok('POST', path, { new_password: 'new' });
  await isRefused(user, '401 M_UNKNOWN_TOKEN');
  await logIn(user.userId, 'new');
  assert.equal(await admin.refused('POST', path, {}), '400 M_MISSING_PARAM');
  const unknown = `${api}/v1/reset_password/@${uniqueName('nobody')}:test.example`;
  assert.equal(await admin.refused('POST', unknown, { new_password: 'x' }), '404 M_NOT_FOUND');
});

test('admins make admins, and no longer', async () => {
  const user = await TestClient.register(server.url);
  const path = (userId: string) => `${api}/v1/users/${userId}/admin`;
  assert.deepEqual(await admin.ok('GET', path(user.userId)), { admin: false });
  await admin.ok('PUT', path(user.userId), { admin: true });
  assert.deepEqual(await user.ok('GET', path(user.userId)), { admin: true });
  assert.equal(await user.refused('PUT', path(user.userId), { admin: false }), '400 M_UNKNOWN');
  assert.equal(await admin.refused('PUT', path(user.userId), {}), '400 M_MISSING_PARAM');
  await admin.ok('PUT', path(user.userId), { admin: false });
  assert.equal(await user.refused('GET', path(user.userId)), '403 M_FORBIDDEN');
});

test('a user is suspended', async () => {
  const user = await TestClient.register(server.url);
  const path = `${api}/v1/suspend/${user.userId}`;
  const suspended = `user_${user.userId}_suspended`;
  assert.deepEqual(await admin.ok('PUT', path, { suspend: true }), { [suspended]: true });
  assert.equal((await admin.ok('GET', `${api}/v2/users/${user.userId}`))['suspended'], true);
  const refused = await user.refused('POST', '/_matrix/client/v3/createRoom', {});
  assert.equal(refused, '403 M_USER_SUSPENDED');
  assert.deepEqual(await admin.ok('PUT', path, { suspend: false }), { [suspended]: false });
  assert.equal(await admin.refused('PUT', path, {}), '400 M_MISSING_PARAM');
  await user.createRoom();
});

test('an admin acts as a user, unseen among the user’s devices', async () => {
  const actor = await registerAdmin(server.url);
  const user = await TestClient.register(server.url);
  const path = `${api}/v1/users/${user.userId}/login`;
  const made = await actor.ok('POST', path, {});
  assert.deepEqual(Object.keys(made), ['access_token']);
  const puppet = new TestClient(server.url);
  puppet.token = made['access_token'] as string;
  const who = await puppet.ok('GET', whoami);
  assert.deepEqual([who['user_id'], who['device_id']], [user.userId, undefined]);
  assert.equal((await user.ok('GET', '/_matrix/client/v3/devices'))['devices'].length, 1);
  const { devices } = await user.ok('GET', `/_matrix/client/v3/admin/whois/${user.userId}`);
  assert.equal(devices[''], undefined, 'the user has not been here without a device');
  const spare = await logIn(user.userId, `password of ${user.userId.slice(1).split(':')[0]!}`);
  await spare.ok('POST', '/_matrix/client/v3/logout/all', {});
  await isRefused(user, '401 M_UNKNOWN_TOKEN');
  await puppet.ok('GET', whoami);
  await actor.ok('POST', '/_matrix/client/v3/logout/all', {});
  await isRefused(puppet, '401 M_UNKNOWN_TOKEN');
  const short = await admin.ok('POST', path, { valid_until_ms: 1 });
  puppet.token = short['access_token'] as string;
  assert.equal(await puppet.refused('GET', whoami), '401 M_UNKNOWN_TOKEN');
  const own = `${api}/v1/users/${admin.userId}/login`;
  assert.equal(await admin.refused('POST', own, {}), '400 M_UNKNOWN');
  assert.equal(await admin.refused('POST', path, { valid_until_ms: 'x' }), '400 M_BAD_JSON');
});

test('the devices of a user', async () => {
  const user = await TestClient.register(server.url);
  const path = `${api}/v2/users/${user.userId}/devices`;
  assert.equal((await admin.request('POST', path, { device_id: 'BOT' })).status, 201);
  assert.equal((await admin.request('POST', path, { device_id: 'BOT' })).status, 201);
  assert.equal(await admin.refused('POST', path, {}), '400 M_MISSING_PARAM');
  const { devices, total } = await admin.ok('GET', path);
  assert.equal(total, 2);
  const ids = (devices as Json[]).map((device) => device['device_id']);
  assert.deepEqual(new Set(ids), new Set([user.deviceId, 'BOT']));
  await admin.ok('PUT', `${path}/BOT`, { display_name: 'A bot' });
  const bot = await admin.ok('GET', `${path}/BOT`);
  assert.deepEqual(
    [bot['display_name'], bot['user_id'], bot['last_seen_ts'], bot['dehydrated']],
    ['A bot', user.userId, null, false],
  );
  assert.equal(await admin.refused('PUT', `${path}/NONE`, {}), '404 M_NOT_FOUND');
  assert.equal(await admin.refused('GET', `${path}/NONE`), '404 M_NOT_FOUND');
  await admin.ok('DELETE', `${path}/NONE`);
  await admin.ok('DELETE', `${path}/BOT`);
  assert.equal(await admin.refused('GET', `${path}/BOT`), '404 M_NOT_FOUND');
  const several = `${api}/v2/users/${user.userId}/delete_devices`;
  assert.equal(await admin.refused('POST', several, {}), '400 M_MISSING_PARAM');
  await admin.ok('POST', several, { devices: [user.deviceId] });
  await isRefused(user, '401 M_UNKNOWN_TOKEN');
});

test('tokens by which people register', async () => {
  const path = `${api}/v1/registration_tokens`;
  const create = (wish: Json) => admin.ok('POST', `${path}/new`, wish);
  const token = uniqueName('token');
  const made = await create({ token, uses_allowed: 1 });
  const fresh = { token, uses_allowed: 1, pending: 0, completed: 0, expiry_time: null };
  assert.deepEqual(made, fresh);
  assert.deepEqual(await admin.ok('GET', `${path}/${token}`), fresh);
  const random = await create({ length: 8 });
  assert.equal(random['token'].length, 8);
  assert.equal((await create({}))['token'].length, 16);
  const refuse = (wish: Json) => admin.refused('POST', `${path}/new`, wish);
  for (const wish of [
    { token },
    { token: 'ä' },
    { token: '' },
    { token: 1 },
    { length: 0 },
    { length: 65 },
    { uses_allowed: -1 },
    { uses_allowed: '1' },
    { uses_allowed: 2 ** 40 },
    { expiry_time: 1 },
    { expiry_time: 'x' },
  ]) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await refuse(wish), '400 M_INVALID_PARAM', JSON.stringify(wish));
  }
  const listed = async (query: string) => {
    const { registration_tokens: all } = await admin.ok('GET', `${path}${query}`);
    return (all as Json[]).some((one) => one['token'] === token);
  };
  assert.deepEqual(
    [await listed(''), await listed('?valid=true'), await listed('?valid=false')],
    [true, true, false],
  );
  const validity = `/_matrix/client/v1/register/m.login.registration_token/validity?token=${token}`;
  assert.deepEqual(await admin.ok('GET', validity), { valid: true });
  const update = (wish: Json) => admin.ok('PUT', `${path}/${token}`, wish);
  assert.equal((await update({ uses_allowed: 0 }))['uses_allowed'], 0);
  assert.deepEqual([await listed('?valid=true'), await listed('?valid=false')], [false, true]);
  assert.deepEqual(await admin.ok('GET', validity), { valid: false });
  const expiryTs = Date.now() + 1_000_000;
  assert.deepEqual(await update({ expiry_time: expiryTs }), {
    ...fresh,
    uses_allowed: 0,
    expiry_time: expiryTs,
  });
  assert.deepEqual(await update({ uses_allowed: null, expiry_time: null }), {
    ...fresh,
    uses_allowed: null,
  });
  assert.equal((await update({}))['token'], token);
  assert.equal(
    await admin.refused('PUT', `${path}/${token}`, { expiry_time: 1 }),
    '400 M_INVALID_PARAM',
  );
  await admin.ok('DELETE', `${path}/${token}`);
  assert.equal(await admin.refused('DELETE', `${path}/${token}`), '404 M_NOT_FOUND');
  assert.equal(await admin.refused('GET', `${path}/${token}`), '404 M_NOT_FOUND');
  assert.equal(await admin.refused('PUT', `${path}/${token}`, {}), '404 M_NOT_FOUND');
});

test('cross-signing keys are replaced once without a password', async () => {
  const user = await TestClient.register(server.url);
  const path = `${api}/v1/users/${user.userId}/_allow_cross_signing_replacement_without_uia`;
  assert.equal(await admin.refused('POST', path, {}), '404 M_NOT_FOUND', 'there are none');
  const upload = (key: string) =>
    user.request('POST', '/_matrix/client/v3/keys/device_signing/upload', {
      master_key: {
        user_id: user.userId,
        usage: ['master'],
        keys: { [`ed25519:${key}`]: key },
      },
    });
  const key = (letter: string) => letter.repeat(43);
  assert.equal((await upload(key('a'))).status, 200);
  assert.equal((await upload(key('b'))).status, 401);
  const { updatable_without_uia_before_ms: untilTs } = await admin.ok('POST', path, {});
  assert.ok(untilTs > Date.now() && untilTs < Date.now() + 11 * 60_000);
  assert.equal((await upload(key('b'))).status, 200);
  assert.equal((await upload(key('c'))).status, 401);
});
