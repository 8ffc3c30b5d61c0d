import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let admin: TestClient;
before(async () => {
  server = await startTestServer(`
encryption_enabled_by_default_for_room_type: all
server_notices:
  system_mxid_localpart: notices
  system_mxid_display_name: The server
  room_name: News
  room_topic: From the server
`);
  admin = await registerAdmin(server.url);
});
after(() => server.close());

const path = '/_synapse/admin/v1/send_server_notice';
const notice = (userId: string, body = 'hello') => ({
  user_id: userId,
  content: { msgtype: 'm.text', body },
});

async function inviteOf(client: TestClient): Promise<string> {
  const rooms = (await client.sync())['rooms'] as Json;
  return Object.keys(rooms['invite'] as Json)[0]!;
}

test('a notice comes in a room of its own, whose invite cannot be rejected', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  assert.equal(await alice.refused('POST', path, notice(alice.userId)), '403 M_FORBIDDEN');
  const { event_id: eventId } = await admin.ok('POST', path, notice(alice.userId));
  const roomId = await inviteOf(alice);
  const leave = `${alice.room(roomId)}/leave`;
  const refusal = '403 M_CANNOT_LEAVE_SERVER_NOTICE_ROOM';
  assert.equal(await alice.refused('POST', leave, {}), refusal);
  const member = `${alice.room(roomId)}/state/m.room.member/${alice.userId}`;
  assert.equal(await alice.refused('PUT', member, { membership: 'leave' }), refusal);
  await alice.join(roomId);
  const event = await alice.ok('GET', `${alice.room(roomId)}/event/${eventId}`);
  assert.equal(event['sender'], '@notices:test.example');
  assert.deepEqual(event['content'], { msgtype: 'm.text', body: 'hello' });
  const state = (await alice.request('GET', `${alice.room(roomId)}/state`)).body as Json[];
  const content = (type: string) => state.find((one) => one['type'] === type)?.['content'] as Json;
  assert.equal(content('m.room.name')['name'], 'News');
  assert.equal(content('m.room.topic')['topic'], 'From the server');
  assert.equal(content('m.room.encryption'), undefined, 'the server has no keys');
  const sender = state.find((one) => one['state_key'] === '@notices:test.example')!;
  assert.equal(sender['content'].displayname, 'The server');
  const tags = await alice.ok(
    'GET',
    `/_matrix/client/v3/user/${alice.userId}/rooms/${roomId}/tags`,
  );
  assert.deepEqual(tags, { tags: { 'm.server_notice': {} } });
  const talk = `${alice.room(roomId)}/send/m.room.message/1`;
  assert.equal(
    await alice.refused('PUT', talk, { msgtype: 'm.text', body: 'x' }),
    '403 M_FORBIDDEN',
  );
  await alice.ok('POST', leave, {});
  await admin.ok('POST', path, notice(alice.userId, 'again'));
  assert.equal(await inviteOf(alice), roomId, 'the same room');
});

test('a notice with a transaction id is sent once', async () => {
  const bob = await TestClient.register(server.url, 'bob');
  const first = await admin.ok('PUT', `${path}/1`, notice(bob.userId));
  const again = await admin.ok('PUT', `${path}/1`, notice(bob.userId));
  assert.equal(again['event_id'], first['event_id']);
  const other = await admin.ok('PUT', `${path}/2`, notice(bob.userId));
  assert.notEqual(other['event_id'], first['event_id']);
});

test('only users of this server get notices', async () => {
  assert.equal(await admin.refused('POST', path, notice('@a:elsewhere')), '400 M_INVALID_PARAM');
  assert.equal(await admin.refused('POST', path, notice('@none:test.example')), '404 M_NOT_FOUND');
});
