import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { startRemoteServer, type RemoteServer } from '../harness/remote-server.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let remote: RemoteServer;
before(async () => {
  remote = await startRemoteServer();
  server = await startTestServer(`
enable_group_creation: true
group_creation_prefix: x/
`);
});
after(() => Promise.all([server.close(), remote.stop()]));

const r0 = '/_matrix/client/r0';

async function create(owner: TestClient, profile: Json = {}): Promise<string> {
  const localpart = uniqueName('x/group');
  const made = await owner.ok('POST', `${r0}/create_group`, { localpart, profile });
  assert.equal(made['group_id'], `+${localpart}:test.example`);
  return `${r0}/groups/${encodeURIComponent(made['group_id'] as string)}`;
}

const deactivate = (client: TestClient) =>
  client.ok('POST', '/_matrix/client/v3/account/deactivate', {
    auth: {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: client.userId },
      password: `password of ${client.userId.slice(1).split(':')[0]}`,
    },
  });

const idOf = (path: string) => decodeURIComponent(path.split('/').at(-1)!);
const idsOf = (answer: Json) => (answer['chunk'] as Json[]).map((one) => one['user_id'] as string);

test('who may make communities, and what they are called', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const admin = await registerAdmin(server.url);
  const path = `${r0}/create_group`;
  const localpart = uniqueName('plain');
  assert.equal(await alice.refused('POST', path, { localpart }), '403 M_FORBIDDEN');
  assert.equal(await alice.refused('POST', path, { localpart: 'x/UP' }), '400 M_INVALID_PARAM');
  await admin.ok('POST', path, { localpart, profile: { name: 'Plain' } });
  assert.equal(await admin.refused('POST', path, { localpart }), '400 M_UNKNOWN');
  const profile = `${r0}/groups/${encodeURIComponent(`+${localpart}:test.example`)}/profile`;
  assert.equal((await alice.ok('GET', profile))['name'], 'Plain');
  assert.equal(await alice.refused('POST', profile, { name: 'Mine' }), '403 M_FORBIDDEN');
  await admin.ok('POST', profile, { short_description: 'Short' });
  const { name, short_description: short } = await alice.ok('GET', profile);
  assert.deepEqual([name, short], ['Plain', 'Short']);
});

test('users come by invite, or by themselves where that is the policy, and show it', async () => {
  const [alice, bob, eve] = (await Promise.all(
    ['alice', 'bob', 'eve'].map((name) => TestClient.register(server.url, name)),
  )) as [TestClient, TestClient, TestClient];
  const group = await create(alice);
  assert.equal(await bob.refused('PUT', `${group}/self/join`, {}), '403 M_FORBIDDEN');
  assert.equal(await bob.refused('PUT', `${group}/self/accept_invite`, {}), '403 M_FORBIDDEN');
  await alice.ok('PUT', `${group}/admin/users/invite/${bob.userId}`, {});
  assert.deepEqual(idsOf(await alice.ok('GET', `${group}/invited_users`)), [bob.userId]);
  assert.equal(await eve.refused('GET', `${group}/invited_users`), '403 M_FORBIDDEN');
  await bob.ok('PUT', `${group}/self/accept_invite`, {});
  assert.deepEqual(idsOf(await eve.ok('GET', `${group}/users`)), [alice.userId, bob.userId]);
  assert.equal(
    await bob.refused('PUT', `${group}/admin/users/invite/${eve.userId}`, {}),
    '403 M_FORBIDDEN',
  );
  await alice.ok('PUT', `${group}/settings/m.join_policy`, { 'm.join_policy': { type: 'open' } });
  await eve.ok('PUT', `${group}/self/join`, {});
  assert.deepEqual(await eve.ok('GET', `${r0}/joined_groups`), { groups: [idOf(group)] });

  await bob.ok('PUT', `${group}/self/update_publicity`, { publicise: true });
  const shown = await eve.ok('GET', `${r0}/publicised_groups/${bob.userId}`);
  assert.deepEqual(shown, { groups: [idOf(group)] });
  const asked = { user_ids: [alice.userId, bob.userId] };
  const ofBoth = { users: { [alice.userId]: [], [bob.userId]: [idOf(group)] } };
  for (const version of ['api/v1', 'r0', 'unstable']) {
    const path = `/_matrix/client/${version}/publicised_groups`;
    // oxlint-disable-next-line no-await-in-loop
    assert.deepEqual(await eve.ok('POST', path, asked), ofBoth);
  }
  const federated = '/_matrix/federation/v1/get_groups_publicised';
  assert.deepEqual((await remote.request(server.url, 'POST', federated, asked)).body, ofBoth);
  assert.equal(await eve.refused('POST', federated, asked), '401 M_UNAUTHORIZED');

  await alice.ok('PUT', `${group}/admin/users/remove/${bob.userId}`, {});

  await eve.ok('PUT', `${group}/self/leave`, {});
  await bob.ok('PUT', `${group}/self/join`, {});
  await deactivate(bob);
  assert.deepEqual(idsOf(await alice.ok('GET', `${group}/users`)), [alice.userId]);
});

test('a community has rooms, and the summary shows some of them in categories', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const eve = await TestClient.register(server.url, 'eve');
  const group = await create(alice, { name: 'Gardeners' });
  const rooms = [
    await alice.createRoom({ preset: 'public_chat', name: 'Roses' }),
    await alice.createRoom({ name: 'Board' }),
  ] as [string, string];
  await alice.ok('PUT', `${group}/admin/rooms/${rooms[0]}`, {});
  const isPrivate = { 'm.visibility': { type: 'private' } };
  await alice.ok('PUT', `${group}/admin/rooms/${rooms[1]}`, isPrivate);
  const names = async (client: TestClient) =>
    ((await client.ok('GET', `${group}/rooms`))['chunk'] as Json[])
      .map((room) => room['name'] as string)
      .toSorted();
  assert.deepEqual(await names(alice), ['Board', 'Roses']);
  assert.deepEqual(await names(eve), ['Roses']);
  assert.equal(
    await alice.refused('PUT', `${group}/admin/rooms/!none:test.example`, {}),
    '404 M_NOT_FOUND',
  );

  await alice.ok('PUT', `${group}/categories/plants`, { profile: { name: 'Plants' } });
  await alice.ok('PUT', `${group}/roles/boss`, { profile: { name: 'Boss' } });
  await alice.ok('PUT', `${group}/summary/categories/plants/rooms/${rooms[0]}`, { order: 7 });
  await alice.ok('PUT', `${group}/summary/rooms/${rooms[1]}`, {});
  await alice.ok('PUT', `${group}/summary/roles/boss/users/${alice.userId}`, {});
  const summary = await eve.ok('GET', `${group}/summary`);
  assert.equal(summary['profile'].name, 'Gardeners');
  assert.deepEqual(summary['rooms_section'].categories, {
    plants: { profile: { name: 'Plants' }, is_public: true },
  });
  const [featured, ...others] = summary['rooms_section'].rooms as Json[];
  assert.deepEqual(others, [], 'the private room is not shown');
  assert.equal(featured!['category_id'], 'plants');
  assert.equal(featured!['order'], 7);
  assert.equal(summary['users_section'].users[0].role_id, 'boss');
  assert.equal(summary['user'], undefined);
  assert.equal((await alice.ok('GET', `${group}/summary`))['user'].is_privileged, true);
  const federated = group.replace(r0, '/_matrix/federation/v1');
  const shown = await remote.request(server.url, 'GET', `${federated}/summary`);
  assert.deepEqual(shown.body, summary);

  await alice.ok('DELETE', `${group}/categories/plants`);
  await alice.ok('DELETE', `${group}/admin/rooms/${rooms[1]}`);
  const after = await alice.ok('GET', `${group}/summary`);
  assert.deepEqual(after['rooms_section'].rooms, []);
  assert.deepEqual(await names(alice), ['Roses']);
});
