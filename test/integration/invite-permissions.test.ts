import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let bob: TestClient;

before(async () => {
  server = await startTestServer('experimental_features: { msc4155_enabled: true }');
  bob = await TestClient.register(server.url, 'bob');
});
after(() => server.close());

const v3 = '/_matrix/client/v3';
const stable = 'm.invite_permission_config';
const filters = 'org.matrix.msc4155.invite_permission_config';
const isBlocked = '403 M_INVITE_BLOCKED';
const isFiltered = '403 ORG.MATRIX.MSC4155.M_INVITE_BLOCKED';

const configure = (client: TestClient, type: string, content: Json) =>
  client.ok('PUT', `${v3}/user/${client.userId}/account_data/${type}`, content);
const inviteTo = (client: TestClient, roomId: string) => `${client.room(roomId)}/invite`;

/** Ids of the rooms that a user is invited to, by each of the ways to sync. */
async function invites(client: TestClient): Promise<string[][]> {
  const sync = await client.sync();
  const lists = { all: { ranges: [[0, 9]], timeline_limit: 1, required_state: [] } };
  const path = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync';
  const sliding = await client.ok('POST', path, { lists });
  return [
    Object.keys((sync['rooms']?.invite ?? {}) as Json),
    Object.keys(sliding['rooms'] as Json),
  ];
}

const everywhere = (...roomIds: string[]) => [roomIds, roomIds];

test('who wants no invites gets none, by any way of inviting', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  await configure(alice, stable, { default_action: 'block' });
  const roomId = await bob.createRoom();
  const user = { user_id: alice.userId };
  await eventually(async () =>
    assert.equal(await bob.refused('POST', inviteTo(bob, roomId), user), isBlocked),
  );
  const path = `${bob.room(roomId)}/state/m.room.member/${alice.userId}`;
  assert.equal(await bob.refused('PUT', path, { membership: 'invite' }), isBlocked);
  const late = `${path}?org.matrix.msc4140.delay=1000`;
  assert.equal(await bob.refused('PUT', late, { membership: 'invite' }), isBlocked);
  const wish = { invite: [alice.userId] };
  assert.equal(await bob.refused('POST', `${v3}/createRoom`, wish), isBlocked);
  assert.deepEqual(await invites(alice), everywhere());
  await configure(alice, stable, {});
  await eventually(() => bob.ok('POST', inviteTo(bob, roomId), user));
  await eventually(async () => assert.deepEqual(await invites(alice), everywhere(roomId)));
  await configure(alice, stable, { default_action: 'block' });
  await eventually(async () => assert.deepEqual(await invites(alice), everywhere()));
  assert.deepEqual((await alice.ok('GET', `${v3}/initialSync`))['rooms'], []);
});

test('an admin may invite all the same, and sees no invites either', async () => {
  const admin = await registerAdmin(server.url);
  const alice = await TestClient.register(server.url, 'alice');
  await configure(alice, stable, { default_action: 'block' });
  const roomId = await admin.createRoom();
  await admin.ok('POST', inviteTo(admin, roomId), { user_id: alice.userId });
  await eventually(async () => assert.deepEqual(await invites(alice), everywhere()));
});

test('lists of users and servers: blocked ones are told, ignored ones are not', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const carol = await TestClient.register(server.url, 'carol');
  await configure(alice, filters, {
    blocked_users: [bob.userId],
    ignored_servers: ['test.*'],
    blocked_servers: null,
  });
  const [ofBob, ofCarol] = [await bob.createRoom(), await carol.createRoom()];
  const user = { user_id: alice.userId };
  await eventually(async () =>
    assert.equal(await bob.refused('POST', inviteTo(bob, ofBob), user), isFiltered),
  );
  await carol.ok('POST', inviteTo(carol, ofCarol), user);
  assert.deepEqual(await invites(alice), everywhere());
  const told = await alice.ok('GET', `${v3}/notifications`);
  assert.deepEqual(told['notifications'], []);
  await configure(alice, filters, { allowed_users: [bob.userId], blocked_servers: ['*'] });
  await eventually(() => bob.ok('POST', inviteTo(bob, ofBob), user));
  await eventually(async () => assert.deepEqual(await invites(alice), everywhere(ofBob)));
  await configure(alice, stable, {});
  await eventually(async () => assert.equal((await invites(alice))[0]!.length, 2));
  const { unstable_features: features } = await bob.ok('GET', '/_matrix/client/versions');
  assert.equal((features as Json)['org.matrix.msc4155'], true);
  assert.equal((features as Json)['org.matrix.msc4380.stable'], true);
});
