import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let admin: TestClient;
before(async () => {
  server = await startTestServer();
  admin = await registerAdmin(server.url);
});
after(() => server.close());

const api = '/_synapse/admin/v1';

/** Has events of a user redacted; what could not be. */
async function redact(user: TestClient, wish: Json): Promise<Json> {
  const path = `${api}/user/${user.userId}/redact`;
  const { redact_id: id } = await admin.ok('POST', path, wish);
  return eventually(async () => {
    const status = await admin.ok('GET', `${api}/user/redact_status/${id}`);
    assert.equal(status['status'], 'complete', JSON.stringify(status));
    return status['failed_redactions'] as Json;
  });
}

/** What is left to read of a room's messages, the oldest first. */
async function textsIn(reader: TestClient, roomId: string): Promise<string[]> {
  const { chunk } = await reader.ok('GET', `${reader.room(roomId)}/messages?dir=f&limit=1000`);
  return (chunk as Json[])
    .filter(({ type, content }) => type === 'm.room.message' && content.body !== undefined)
    .map(({ content }) => content.body as string);
}

const sendAll = async (user: TestClient, roomId: string, texts: readonly string[]) => {
  // oxlint-disable-next-line no-await-in-loop -- in this order
  for (const text of texts) await user.send(roomId, text);
};

async function roomOfTwo(version = '12') {
  const [owner, user] = await Promise.all([
    TestClient.register(server.url, 'owner'),
    TestClient.register(server.url, 'talker'),
  ]);
  const roomId = await owner.createRoom({ preset: 'public_chat', room_version: version });
  await user.join(roomId);
  return { owner, user, roomId };
}

test('all that a user has sent is redacted, in all rooms, over pages', async () => {
  const { owner, user, roomId } = await roomOfTwo();
  const second = await owner.createRoom({ preset: 'public_chat', room_version: '10' });
  await user.join(second);
  const texts = Array.from({ length: 120 }, (_, i) => `text ${i}`);
  await sendAll(owner, roomId, ['of the owner']);
  await sendAll(user, roomId, texts);
  await sendAll(user, second, ['elsewhere']);
  assert.deepEqual(await redact(user, { rooms: [], reason: 'spam' }), {});
  await eventually(async () => {
    assert.deepEqual(await textsIn(owner, roomId), ['of the owner']);
    assert.deepEqual(await textsIn(owner, second), []);
  });
  const { chunk } = await owner.ok('GET', `${owner.room(roomId)}/messages?dir=b&limit=1`);
  assert.equal(chunk[0].type, 'm.room.redaction');
  assert.deepEqual([chunk[0].sender, chunk[0].content.reason], [user.userId, 'spam']);
  const { members } = { members: await owner.ok('GET', `${owner.room(roomId)}/joined_members`) };
  assert.ok(user.userId in members['joined'], 'the user is still there');
  const { scheduled_tasks: tasks } = await admin.ok(
    'GET',
    `${api}/scheduled_tasks?action_name=redact_all_events&resource_id=${user.userId}`,
  );
  assert.equal(tasks.length, 1);
  assert.equal(tasks[0].status, 'complete');
  assert.deepEqual(tasks[0].result, { failed_redactions: {} });
  const active = `${api}/scheduled_tasks?resource_id=${user.userId}&status=active`;
  assert.deepEqual((await admin.ok('GET', active))['scheduled_tasks'], []);
});

test('only some of it: rooms, the newest, a time', async () => {
  const { owner, user, roomId } = await roomOfTwo();
  const other = await owner.createRoom({ preset: 'public_chat' });
  await user.join(other);
  await sendAll(user, other, ['kept']);
  await sendAll(user, roomId, ['a', 'b', 'c']);
  assert.deepEqual(await redact(user, { rooms: [roomId], limit: 2 }), {});
  await eventually(async () => assert.deepEqual(await textsIn(owner, roomId), ['a']));
  await redact(user, { rooms: [roomId], before_ts: 1 });
  await redact(user, { rooms: [roomId], after_ts: Date.now() + 100_000 });
  assert.deepEqual(await textsIn(owner, roomId), ['a']);
  await redact(user, { rooms: ['!unknown:test.example', roomId], before_ts: Date.now() + 100_000 });
  await eventually(async () => assert.deepEqual(await textsIn(owner, roomId), []));
  assert.deepEqual(await textsIn(owner, other), ['kept']);
});

test('what the user can no longer redact, an admin in the room does; else it is told', async () => {
  const { owner, user, roomId } = await roomOfTwo('10');
  await sendAll(user, roomId, ['bad']);
  await owner.ok('POST', `${owner.room(roomId)}/ban`, { user_id: user.userId });
  const failed = await redact(user, { rooms: [] });
  assert.equal(Object.keys(failed).length, 2, 'the join and the message');
  assert.deepEqual(await textsIn(owner, roomId), ['bad']);
  const levels = await owner.ok('GET', `${owner.room(roomId)}/state/m.room.power_levels`);
  const users = { ...levels['users'], [admin.userId]: 50 };
  await admin.join(roomId);
  await owner.setState(roomId, 'm.room.power_levels', { ...levels, users });
  assert.deepEqual(await redact(user, { rooms: [] }), {});
  await eventually(async () => assert.deepEqual(await textsIn(owner, roomId), []));
});

test('an admin redacts where that is wished', async () => {
  const { owner, user, roomId } = await roomOfTwo('11');
  await sendAll(user, roomId, ['x']);
  const failed = await redact(user, { rooms: [roomId], use_admin: true });
  assert.equal(Object.keys(failed).length, 2, 'the admin is not there');
  assert.deepEqual(await textsIn(owner, roomId), ['x']);
});

test('what makes no sense is refused', async () => {
  const user = await TestClient.register(server.url);
  const path = `${api}/user/${user.userId}/redact`;
  assert.equal(await admin.refused('POST', path, {}), '400 M_MISSING_PARAM');
  assert.equal(await admin.refused('POST', path, { rooms: 'x' }), '400 M_BAD_JSON');
  assert.equal(await admin.refused('POST', path, { rooms: [], limit: 0 }), '400 M_BAD_JSON');
  const nobody = `${api}/user/nobody/redact`;
  assert.equal(await admin.refused('POST', nobody, { rooms: [] }), '400 M_INVALID_PARAM');
  const unknown = `${api}/user/redact_status/nothing`;
  assert.equal(await admin.refused('GET', unknown), '404 M_NOT_FOUND');
  const tasks = `${api}/scheduled_tasks?status=perhaps`;
  assert.equal(await admin.refused('GET', tasks), '400 M_INVALID_PARAM');
});
