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
const userPath = (userId: string) => `${api}/v2/users/${encodeURIComponent(userId)}`;
const newUserId = (prefix: string) => `@${uniqueName(prefix)}:test.example`;

async function put(userId: string, wish: Json, status = 201): Promise<Json> {
  const answer = await admin.request('PUT', userPath(userId), wish);
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  return answer.body;
}

async function logIn(user: string, password: string): Promise<TestClient> {
  const client = new TestClient(server.url);
  const identifier = { type: 'm.id.user', user };
  const body = { type: 'm.login.password', identifier, password };
  const { access_token: token } = await client.ok('POST', '/_matrix/client/v3/login', body);
  client.token = token as string;
  client.userId = user;
  return client;
}

test('only admins may', async () => {
  const user = await TestClient.register(server.url);
  const anybody = new TestClient(server.url);
  for (const [method, path] of [
    ['GET', `${api}/v2/users`],
    ['GET', `${api}/v3/users`],
    ['GET', userPath(user.userId)],
    ['PUT', userPath(user.userId)],
    ['POST', `${api}/v1/deactivate/${user.userId}`],
    ['POST', `${api}/v1/reset_password/${user.userId}`],
    ['PUT', `${api}/v1/users/${user.userId}/admin`],
    ['PUT', `${api}/v1/suspend/${user.userId}`],
    ['POST', `${api}/v1/users/${admin.userId}/login`],
    ['POST', `${api}/v1/users/${user.userId}/shadow_ban`],
    ['GET', `${api}/v1/users/${user.userId}/joined_rooms`],
    ['GET', `${api}/v1/users/${user.userId}/accountdata`],
    ['GET', `${api}/v2/users/${user.userId}/devices`],
    ['GET', `${api}/v1/registration_tokens`],
    ['POST', `${api}/v1/user/${user.userId}/redact`],
    ['GET', `${api}/v1/scheduled_tasks`],
    ['GET', `${api}/v1/background_updates/status`],
    ['GET', `${api}/v1/experimental_features/${user.userId}`],
    ['GET', `${api}/v1/fetch_event/$x`],
    ['GET', `${api}/v1/username_available?username=x`],
    ['GET', `${api}/v1/threepid/email/users/x@example.org`],
  ] as const) {
    const body = method === 'GET' ? undefined : {};
    assert.equal(await user.refused(method, path, body), '403 M_FORBIDDEN', path);
    assert.equal(await anybody.refused(method, path, body), '401 M_MISSING_TOKEN', path);
  }
  const { server_version: version } = await anybody.ok('GET', `${api}/v1/server_version`);
  assert.match(version, /^Lattice \d/);
});

test('a user is made, read and changed', async () => {
  const userId = newUserId('made');
  const address = `${uniqueName('m')}@Example.org`;
  const made = await put(userId, {
    password: 'first',
    displayname: 'Älice "A" 100%',
    avatar_url: 'mxc://test.example/a',
    threepids: [{ medium: 'email', address }],
    external_ids: [{ auth_provider: 'oidc-x', external_id: userId }],
    admin: false,
    user_type: 'bot',
  });
  assert.equal(made['name'], userId);
  assert.equal(made['displayname'], 'Älice "A" 100%');
  assert.equal(made['avatar_url'], 'mxc://test.example/a');
  assert.equal(made['user_type'], 'bot');
  assert.equal(made['threepids'][0].address, address.toLowerCase());
  assert.deepEqual(made['external_ids'], [{ auth_provider: 'oidc-x', external_id: userId }]);
  assert.ok(Math.abs(made['creation_ts'] - Date.now() / 1000) < 600, 'seconds');
  for (const name of [
    'deactivated',
    'erased',
    'locked',
    'suspended',
    'shadow_banned',
    'is_guest',
  ]) {
    assert.equal(made[name], false, name);
  }
  for (const name of ['appservice_id', 'consent_version', 'consent_ts', 'last_seen_ts']) {
    assert.equal(made[name], null, name);
  }
  const user = await logIn(userId, 'first');
  await user.ok('GET', '/_matrix/client/v3/account/whoami');
  const found = `${api}/v1/threepid/email/users/${encodeURIComponent(address)}`;
  assert.equal((await admin.ok('GET', found))['user_id'], userId);
  const external = `${api}/v1/auth_providers/oidc-x/users/${encodeURIComponent(userId)}`;
  assert.equal((await admin.ok('GET', external))['user_id'], userId);

  const other = newUserId('other');
  const takenId = { external_ids: [{ auth_provider: 'oidc-x', external_id: userId }] };
  assert.equal(await admin.refused('PUT', userPath(other), takenId), '409 M_UNKNOWN');
  const takenAddress = { threepids: [{ medium: 'email', address }] };
  assert.equal(await admin.refused('PUT', userPath(other), takenAddress), '400 M_THREEPID_IN_USE');
  assert.equal(await admin.refused('GET', userPath(other)), '404 M_NOT_FOUND', 'nothing was made');

  const changed = await put(
    userId,
    { displayname: '', threepids: [], external_ids: [], user_type: null, password: 'second' },
    200,
  );
  assert.equal(changed['displayname'], null);
  assert.deepEqual([changed['threepids'], changed['external_ids']], [[], []]);
  assert.equal(changed['user_type'], null);
  await eventually(async () => {
    const whoami = '/_matrix/client/v3/account/whoami';
    assert.equal(await user.refused('GET', whoami), '401 M_UNKNOWN_TOKEN');
  });
  assert.equal(await admin.refused('GET', external), '404 M_NOT_FOUND');
  const second = await logIn(userId, 'second');
  await put(userId, { password: 'third', logout_devices: false }, 200);
  await second.ok('GET', '/_matrix/client/v3/account/whoami');
  assert.equal((await put(userId, { locked: true }, 200))['locked'], true);
  await eventually(async () => {
    const whoami = '/_matrix/client/v3/account/whoami';
    assert.equal(await second.refused('GET', whoami), '401 M_USER_LOCKED');
  });
  assert.equal((await put(userId, { locked: false, admin: true }, 200))['admin'], true);
});

test('what cannot be is refused, and nothing is changed by it', async () => {
  const userId = newUserId('refused');
  await put(userId, { displayname: 'before' });
  const refuse = (wish: Json) => admin.refused('PUT', userPath(userId), wish);
  assert.equal(await refuse({ displayname: 'x', user_type: 'none' }), '400 M_UNKNOWN');
  assert.equal(await refuse({ displayname: 'x', admin: 'yes' }), '400 M_BAD_JSON');
  assert.equal(
    await refuse({ displayname: 'x', threepids: [{ medium: 'email' }] }),
    '400 M_MISSING_PARAM',
  );
  assert.equal(
    await refuse({ displayname: 'x', threepids: [{ medium: 'fax', address: '1' }] }),
    '400 M_INVALID_PARAM',
  );
  assert.equal(
    await refuse({ displayname: 'x', threepids: [{ medium: 'msisdn', address: 'none' }] }),
    '400 M_INVALID_PARAM',
  );
  const long = { auth_provider: 'x', external_id: 'ä'.repeat(3_000) };
  assert.equal(await refuse({ displayname: 'x', external_ids: [long] }), '400 M_BAD_JSON');
  assert.equal(
    await refuse({ displayname: 'x', deactivated: true, locked: true }),
    '400 M_UNKNOWN',
  );
  assert.equal((await admin.ok('GET', userPath(userId)))['displayname'], 'before');
  assert.equal(
    await admin.refused('PUT', userPath(admin.userId), { admin: false }),
    '400 M_UNKNOWN',
    'nobody demotes themselves',
  );
  assert.equal(await admin.refused('GET', userPath('@a:else.example')), '400 M_INVALID_PARAM');
  assert.equal(await admin.refused('PUT', userPath('@a:else.example'), {}), '400 M_INVALID_PARAM');
  assert.equal(
    await admin.refused('PUT', userPath('@UPPER:test.example'), {}),
    '400 M_INVALID_USERNAME',
  );
});

test('an account ends, and is opened again', async () => {
  const userId = newUserId('ended');
  await put(userId, { password: 'first', displayname: 'E' });
  const user = await logIn(userId, 'first');
  const roomId = await user.createRoom();
  const ended = await put(userId, { deactivated: true }, 200);
  assert.deepEqual([ended['deactivated'], ended['erased']], [true, false]);
  const facts = await admin.ok('GET', `${api}/v1/users/${userId}/memberships`);
  assert.deepEqual(facts['memberships'], { [roomId]: 'leave' });
  const again = await put(userId, { deactivated: false, password: 'again' }, 200);
  assert.equal(again['deactivated'], false);
  await logIn(userId, 'again');
  const path = `${api}/v1/deactivate/${userId}`;
  assert.equal(await admin.refused('POST', path, { erase: 'yes' }), '400 M_BAD_JSON');
  const answer = await admin.ok('POST', path, { erase: true });
  assert.deepEqual(answer, { id_server_unbind_result: 'success' });
  const erased = await admin.ok('GET', userPath(userId));
  assert.deepEqual(
    [erased['deactivated'], erased['erased'], erased['displayname']],
    [true, true, null],
  );
  const unknown = `${api}/v1/deactivate/${newUserId('nobody')}`;
  assert.equal(await admin.refused('POST', unknown, {}), '404 M_NOT_FOUND');
});

/** Names of a list, in its order. */
async function names(query: Record<string, string>, version = 'v2'): Promise<string[]> {
  const path = `${api}/${version}/users?${new URLSearchParams(query).toString()}`;
  return ((await admin.ok('GET', path))['users'] as Json[]).map((user) => user['name'] as string);
}

test('users are listed: filters, orders, pages', async () => {
  const mark = uniqueName('list');
  const id = (letter: string) => `@${mark}${letter}:test.example`;
  await put(id('a'), { displayname: `Z ${mark}`, user_type: 'bot' });
  await put(id('b'), { displayname: `Y_${mark}`, admin: true });
  await put(id('c'), { displayname: `X%${mark}` });
  await put(id('d'), { displayname: 'someone' });
  await put(id('e'), { displayname: 'locked' });
  await put(id('e'), { locked: true }, 200);
  await put(id('d'), { deactivated: true }, 200);
  const all = ['a', 'b', 'c', 'd', 'e'].map(id);
  const [a, b, c, d, e] = all as [string, string, string, string, string];
  const name = mark.toUpperCase();
  assert.deepEqual(await names({ name }), [a, b, c]);
  assert.deepEqual(await names({ user_id: mark }), [a, b, c]);
  assert.deepEqual(await names({ name, deactivated: 'true', locked: 'true' }), all);
  assert.deepEqual(await names({ name, locked: 'true' }, 'v3'), all);
  assert.deepEqual(await names({ name, deactivated: 'true' }, 'v3'), [d]);
  assert.deepEqual(await names({ name, deactivated: 'false', locked: 'true' }, 'v3'), [a, b, c, e]);
  assert.deepEqual(await names({ name, admins: 'true' }), [b]);
  assert.deepEqual(await names({ name, admins: 'false' }), [a, c]);
  assert.deepEqual(await names({ name, not_user_type: 'bot' }), [b, c]);
  assert.deepEqual(await names({ name, not_user_type: '' }), [a]);
  assert.deepEqual(await names({ name, order_by: 'displayname' }), [c, b, a]);
  assert.deepEqual(await names({ name, dir: 'b' }), [c, b, a]);
  assert.deepEqual(await names({ name, order_by: 'admin', dir: 'b' }), [b, a, c]);
  assert.deepEqual(
    await names({ name: `X%${mark}` }),
    [c],
    'signs of patterns stand for themselves',
  );
  assert.deepEqual(await names({ name: `Y%${mark}` }), []);
  for (const order of [
    'name',
    'is_guest',
    'user_type',
    'deactivated',
    'shadow_banned',
    'avatar_url',
    'creation_ts',
    'last_seen_ts',
    'locked',
  ]) {
    // oxlint-disable-next-line no-await-in-loop
    assert.deepEqual(new Set(await names({ name, order_by: order })), new Set([a, b, c]), order);
  }
  const page = await admin.ok('GET', `${api}/v2/users?name=${name}&limit=2`);
  assert.deepEqual([page['total'], page['next_token'], page['users'].length], [3, '2', 2]);
  const last = await admin.ok('GET', `${api}/v2/users?name=${name}&limit=2&from=2`);
  assert.deepEqual([last['total'], last['next_token']], [3, undefined]);
  const [third] = last['users'] as Json[];
  assert.equal(third!['name'], c);
  assert.equal(third!['displayname'], `X%${mark}`);
  assert.ok(third!['creation_ts'] > 1e12, 'milliseconds');
  assert.equal((await admin.ok('GET', `${api}/v2/users?name=${name}&from=9`))['total'], 3);
  const refuse = (query: string) => admin.refused('GET', `${api}/v2/users?${query}`);
  assert.equal(await refuse('order_by=password'), '400 M_INVALID_PARAM');
  assert.equal(await refuse('from=-1'), '400 M_INVALID_PARAM');
  assert.equal(await refuse('dir=x'), '400 M_INVALID_PARAM');
  assert.equal(await refuse('deactivated=perhaps'), '400 M_INVALID_PARAM');
  const term = await admin.ok('GET', `${api}/v1/search_users/${admin.userId}?term=${mark}`);
  assert.deepEqual(
    (term as unknown as Json[]).map((user) => user['name']),
    all,
  );
});

test('names that are free and names that are not', async () => {
  const path = `${api}/v1/username_available`;
  const name = uniqueName('free');
  assert.deepEqual(await admin.ok('GET', `${path}?username=${name}`), { available: true });
  await put(`@${name}:test.example`, {});
  assert.equal(await admin.refused('GET', `${path}?username=${name}`), '400 M_USER_IN_USE');
  assert.equal(await admin.refused('GET', `${path}?username=%20`), '400 M_INVALID_USERNAME');
  assert.equal(await admin.refused('GET', path), '400 M_MISSING_PARAM');
});

test('what admins ask about a user’s rooms', async () => {
  const [user, friend] = [
    await TestClient.register(server.url),
    await TestClient.register(server.url),
  ];
  const [first, second] = [
    await user.createRoom({ preset: 'public_chat' }),
    await friend.createRoom({ preset: 'public_chat' }),
  ];
  const startTs = Date.now();
  await user.join(second);
  await user.ok('POST', `${user.room(second)}/leave`, {});
  await user.ok('POST', `${user.room(first)}/invite`, { user_id: friend.userId });
  const of = `${api}/v1/users/${user.userId}`;
  assert.deepEqual(await admin.ok('GET', `${of}/joined_rooms`), {
    joined_rooms: [first],
    total: 1,
  });
  const { memberships } = await admin.ok('GET', `${of}/memberships`);
  assert.deepEqual(memberships, { [first]: 'join', [second]: 'leave' });
  const count = async (what: string, ts: number) =>
    Object.values(await admin.ok('GET', `${of}/${what}?from_ts=${ts}`))[0] as number;
  assert.equal(await count('sent_invite_count', 0), 1);
  assert.equal(await count('sent_invite_count', Date.now() + 60_000), 0);
  assert.equal(await count('cumulative_joined_room_count', 0), 2);
  assert.equal(await count('cumulative_joined_room_count', startTs), 1);
  assert.equal(await admin.refused('GET', `${of}/sent_invite_count`), '400 M_MISSING_PARAM');
  assert.equal(await admin.refused('GET', `${api}/v1/users/x/joined_rooms`), '400 M_INVALID_PARAM');
  const eventId = await user.send(first, 'hello');
  const { event } = await admin.ok('GET', `${api}/v1/fetch_event/${encodeURIComponent(eventId)}`);
  assert.equal(event.event_id, eventId);
  assert.equal(event.room_id, first);
  assert.equal(event.content.body, 'hello');
  for (const name of ['auth_events', 'prev_events', 'hashes', 'signatures', 'depth']) {
    assert.ok(name in event, name);
  }
  assert.equal(await admin.refused('GET', `${api}/v1/fetch_event/$nothing`), '404 M_NOT_FOUND');
});

test('what is kept for a user', async () => {
  const user = await TestClient.register(server.url);
  const roomId = await user.createRoom();
  const own = `/_matrix/client/v3/user/${user.userId}`;
  await user.ok('PUT', `${own}/account_data/org.example.a`, { a: 1 });
  await user.ok('PUT', `${own}/rooms/${roomId}/account_data/org.example.b`, { b: 2 });
  await user.ok('PUT', `/_matrix/client/v3/pushrules/global/override/x`, {
    actions: [],
    conditions: [],
  });
  const { account_data: data } = await admin.ok(
    'GET',
    `${api}/v1/users/${user.userId}/accountdata`,
  );
  assert.deepEqual(data, {
    global: { 'org.example.a': { a: 1 } },
    rooms: { [roomId]: { 'org.example.b': { b: 2 } } },
  });
});

test('where a user was connected', async () => {
  const user = await TestClient.register(server.url);
  // Whoever answers this knows of it at once; others write down what they know once a minute.
  await user.ok('GET', `/_matrix/client/v3/admin/whois/${user.userId}`);
  await eventually(async () => {
    const { devices } = await admin.ok('GET', `${api}/v1/whois/${user.userId}`);
    const { connections } = devices[''].sessions[0];
    assert.ok(connections.length > 0);
    assert.deepEqual(Object.keys(connections[0]).toSorted(), ['ip', 'last_seen', 'user_agent']);
  });
});

test('proposals are switched on for single users', async () => {
  const user = await TestClient.register(server.url);
  const path = `${api}/v1/experimental_features/${user.userId}`;
  const off = { msc3881: false, msc3575: false, msc4222: false };
  assert.deepEqual(await admin.ok('GET', path), { features: off });
  assert.equal(await admin.refused('PUT', path, {}), '400 M_MISSING_PARAM');
  assert.equal(await admin.refused('PUT', path, { features: {} }), '400 M_UNKNOWN');
  assert.equal(await admin.refused('PUT', path, { features: { msc1: true } }), '400 M_UNKNOWN');
  const pusher = {
    app_id: 'org.example',
    pushkey: uniqueName('key'),
    kind: 'http',
    app_display_name: 'a',
    device_display_name: 'd',
    lang: 'en',
    data: { url: 'https://push.example/_matrix/push/v1/notify' },
  };
  await user.ok('POST', '/_matrix/client/v3/pushers/set', pusher);
  const shown = async () =>
    (await user.ok('GET', '/_matrix/client/v3/pushers'))['pushers'][0] as Json;
  assert.equal('org.matrix.msc3881.enabled' in (await shown()), false);
  await admin.ok('PUT', path, { features: { msc3881: true } });
  assert.deepEqual(await admin.ok('GET', path), { features: { ...off, msc3881: true } });
  assert.equal((await shown())['org.matrix.msc3881.enabled'], true);
  await admin.ok('PUT', path, { features: { msc3881: false } });
  assert.equal('org.matrix.msc3881.enabled' in (await shown()), false);
});
