import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

// Small endpoints that no other topic calls, and the old forms of others.

const policyKey = '6yhHGKhCiXTSEN2ksjV7kX/N6rBQZ3Xb+M7LlC6NS+s';
let server: TestServer;
before(async () => {
  server = await startTestServer(`
public_baseurl: https://matrix.test.example/
admin_contact: mailto:admin@test.example
policy_server_public_keys: {ed25519: ${policyKey}}
`);
});
after(() => server.close());

const v3 = '/_matrix/client/v3';
const r0 = '/_matrix/client/r0';

test('admins see from where users come, and whether they are locked or suspended', async () => {
  const [admin, alice] = [await registerAdmin(server.url), await TestClient.register(server.url)];
  const whois = await admin.ok('GET', `${v3}/admin/whois/${alice.userId}`);
  assert.equal(whois['user_id'], alice.userId);
  const v1 = '/_matrix/client/v1/admin';
  assert.deepEqual(await admin.ok('GET', `${v1}/suspend/${alice.userId}`), { suspended: false });
  assert.deepEqual(await admin.ok('GET', `${v1}/lock/${alice.userId}`), { locked: false });
});

test('aliases, visibility and members of a room', async () => {
  const [alice, bob] = [
    await TestClient.register(server.url),
    await TestClient.register(server.url),
  ];
  for (const user of [alice, bob]) {
    const avatar = `${v3}/profile/${user.userId}/avatar_url`;
    // oxlint-disable-next-line no-await-in-loop
    await user.ok('PUT', avatar, { avatar_url: 'mxc://test.example/face' });
  }
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const alias = `#small${alice.userId.slice(1).split(':')[0]}:test.example`;
  await alice.ok('PUT', `${v3}/directory/room/${encodeURIComponent(alias)}`, { room_id: roomId });
  const { aliases } = await alice.ok('GET', `${alice.room(roomId)}/aliases`);
  assert.deepEqual(aliases, [alias]);
  const visibility = `${v3}/directory/list/room/${encodeURIComponent(roomId)}`;
  await alice.ok('PUT', visibility, { visibility: 'public' });
  assert.deepEqual(await alice.ok('GET', visibility), { visibility: 'public' });
  await bob.ok('POST', `${bob.room(roomId)}/join`, {});
  await eventually(async () => {
    assert.deepEqual((await bob.ok('GET', `${v3}/joined_rooms`))['joined_rooms'], [roomId]);
    const { chunk } = await bob.ok('GET', `${bob.room(roomId)}/members`);
    assert.equal(chunk.length, 2);
    const { joined } = await bob.ok('GET', `${bob.room(roomId)}/joined_members`);
    assert.deepEqual(
      Object.keys(joined as object).toSorted(),
      [alice.userId, bob.userId].toSorted(),
    );
  });
});

test('presence, read markers and push rules', async () => {
  const alice = await TestClient.register(server.url);
  const status = `${v3}/presence/${alice.userId}/status`;
  await alice.ok('PUT', status, { presence: 'unavailable', status_msg: 'out' });
  await eventually(async () => {
    assert.equal((await alice.ok('GET', status))['status_msg'], 'out');
  });
  const roomId = await alice.createRoom();
  const eventId = await alice.send(roomId, 'read me');
  await alice.ok('POST', `${alice.room(roomId)}/read_markers`, { 'm.fully_read': eventId });
  const marker = `${v3}/user/${alice.userId}/rooms/${encodeURIComponent(roomId)}/account_data/m.fully_read`;
  assert.deepEqual(await alice.ok('GET', marker), { event_id: eventId });
  assert.ok((await alice.ok('GET', `${v3}/pushrules/global/`))['underride'].length > 0);
});

test('what is known before one logs in', async () => {
  const nobody = new TestClient(server.url);
  const client = await nobody.ok('GET', '/.well-known/matrix/client');
  assert.equal(client['m.homeserver'].base_url, 'https://matrix.test.example/');
  const support = await nobody.ok('GET', '/.well-known/matrix/support');
  assert.equal(support['contacts'].length, 1);
  assert.deepEqual(await nobody.ok('GET', '/.well-known/matrix/policy_server'), {
    public_keys: { ed25519: policyKey },
  });
  for (const path of ['v1/auth_metadata', 'unstable/org.matrix.msc2965/auth_metadata']) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await nobody.refused('GET', `/_matrix/client/${path}`), '404 M_UNRECOGNIZED');
  }
  const validity = '/_matrix/client/v1/register/m.login.registration_token/validity?token=nothing';
  assert.deepEqual(await nobody.ok('GET', validity), { valid: false });
});

test('old forms with transaction ids, and without where there is one now', async () => {
  const [alice, bob] = [
    await TestClient.register(server.url),
    await TestClient.register(server.url),
  ];
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const room = `${r0}/rooms/${encodeURIComponent(roomId)}`;
  const { event_id: eventId } = await alice.ok('POST', `${room}/send/m.room.message`, {
    body: 'x',
  });
  await alice.ok('POST', `${room}/redact/${encodeURIComponent(eventId as string)}`, {});
  const target = { user_id: bob.userId };
  await alice.ok('PUT', `${room}/invite/1`, target);
  await bob.ok('PUT', `${room}/join/2`, {});
  await bob.ok('PUT', `${room}/leave/3`, {});
  await bob.ok('PUT', `${r0}/join/${encodeURIComponent(roomId)}/4`, {});
  await alice.ok('PUT', `${room}/kick/5`, target);
  await alice.ok('PUT', `${room}/ban/6`, target);
  await alice.ok('PUT', `${room}/unban/7`, target);
  await bob.ok('POST', `${r0}/keys/upload/${bob.deviceId}`, {});
});
