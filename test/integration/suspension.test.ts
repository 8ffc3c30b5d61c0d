import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

test('a suspended user can read and leave, and do nothing that others see', async () => {
  const admin = await registerAdmin(server.url);
  const [alice, bob] = await Promise.all([
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'bob'),
  ]);
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const [others, own] = [await alice.send(roomId, 'of alice'), await bob.send(roomId, 'of bob')];
  const levels = await alice.ok('GET', `${alice.room(roomId)}/state/m.room.power_levels`);
  await alice.setState(roomId, 'm.room.power_levels', { ...levels, redact: 0 });
  const path = `/_matrix/client/v1/admin/suspend/${bob.userId}`;
  assert.equal(await alice.refused('PUT', path, { suspended: true }), '403 M_FORBIDDEN');
  const later = `${bob.room(roomId)}/send/m.room.message/later?org.matrix.msc4140.delay=60000`;
  const { delay_id: delayId } = await bob.ok('PUT', later, { msgtype: 'm.text', body: 'later' });
  await admin.ok('PUT', path, { suspended: true });
  const delayed = `/_matrix/client/unstable/org.matrix.msc4140/delayed_events/${delayId}`;
  assert.equal(await alice.refused('POST', delayed, { action: 'send' }), '403 M_USER_SUSPENDED');
  const room = bob.room(roomId);
  const message = { msgtype: 'm.text', body: 'x' };
  assert.equal(
    await bob.refused('PUT', `${room}/send/m.room.message/1`, message),
    '403 M_USER_SUSPENDED',
  );
  assert.equal(
    await bob.refused('POST', '/_matrix/client/v3/createRoom', {}),
    '403 M_USER_SUSPENDED',
  );
  const name = `/_matrix/client/v3/profile/${bob.userId}/displayname`;
  assert.equal(await bob.refused('PUT', name, { displayname: 'B' }), '403 M_USER_SUSPENDED');
  const redact = (eventId: string) => `${room}/redact/${encodeURIComponent(eventId)}/1`;
  assert.equal(await bob.refused('PUT', redact(others), {}), '403 M_USER_SUSPENDED');
  await bob.ok('PUT', redact(own), {});
  await bob.ok('GET', `${room}/messages?dir=b`);
  await bob.ok('POST', `${room}/leave`, {});
  await admin.ok('PUT', path, { suspended: false });
  await eventually(() => bob.join(roomId));
  await eventually(() => bob.send(roomId, 'back again'));
});

test('admins are told that they can suspend and lock', async () => {
  const [admin, alice] = await Promise.all([
    registerAdmin(server.url),
    TestClient.register(server.url, 'alice'),
  ]);
  const path = '/_matrix/client/v3/capabilities';
  const can = async (client: TestClient) =>
    (await client.ok('GET', path))['capabilities']['m.account_moderation'] as unknown;
  assert.deepEqual(await can(admin), { suspend: true, lock: true });
  assert.equal(await can(alice), undefined);
});

test('a locked user is told so, keeps its data, and can log out', async () => {
  const admin = await registerAdmin(server.url);
  const bob = await TestClient.register(server.url, 'bob');
  const path = `/_matrix/client/v1/admin/lock/${bob.userId}`;
  await admin.ok('PUT', path, { locked: true });
  const answer = await bob.request('GET', '/_matrix/client/v3/account/whoami');
  assert.equal(answer.status, 401);
  assert.equal(answer.body['errcode'], 'M_USER_LOCKED');
  assert.equal(answer.body['soft_logout'], true);
  await bob.ok('POST', '/_matrix/client/v3/logout', {});
});
