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

const banPath = (user: TestClient) => `/_synapse/admin/v1/users/${user.userId}/shadow_ban`;

/** A room of the first, whom the second has joined, and the second is shadow-banned then. */
async function roomWithBanned() {
  const [alice, banned] = await Promise.all([
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'banned'),
  ]);
  const users = { [banned.userId]: 150 };
  const roomId = await alice.createRoom({
    preset: 'public_chat',
    power_level_content_override: { users },
  });
  await banned.join(roomId);
  return { alice, banned, roomId };
}

async function eventsOf(reader: TestClient, roomId: string): Promise<Json[]> {
  return (await reader.ok('GET', `${reader.room(roomId)}/messages?dir=b&limit=100`))['chunk'];
}

test('what a shadow-banned user sends looks sent, and reaches nobody', async () => {
  const { alice, banned, roomId } = await roomWithBanned();
  const own = await alice.send(roomId, 'of alice');
  const before = await eventsOf(alice, roomId);
  await admin.ok('POST', banPath(banned), {});
  assert.equal(
    (await admin.ok('GET', `/_synapse/admin/v2/users/${banned.userId}`))['shadow_banned'],
    true,
  );
  const room = banned.room(roomId);
  const message = { msgtype: 'm.text', body: 'unheard' };
  const send = async (txnId: string) =>
    (await banned.ok('PUT', `${room}/send/m.room.message/${txnId}`, message))['event_id'] as string;
  const first = await eventually(async () => {
    const sent = await send('one');
    assert.match(sent, /^\$[A-Za-z0-9_-]{43}$/);
    return sent;
  });
  assert.equal(await send('one'), first, 'a repeated request has the same answer');
  assert.notEqual(await send('two'), first);
  await banned.ok('POST', `${room}/send/m.room.message`, message);
  await banned.ok('PUT', `${room}/state/m.room.name`, { name: 'unheard' });
  await banned.ok('PUT', `${room}/redact/${encodeURIComponent(own)}/r`, {});
  const later = `${room}/send/m.room.message/later?org.matrix.msc4140.delay=1`;
  const { delay_id: delayId } = await banned.ok('PUT', later, message);
  await banned.ok('PUT', `${room}/typing/${banned.userId}`, { typing: true });
  const guest = await TestClient.register(server.url, 'guest');
  await banned.ok('POST', `${room}/invite`, { user_id: guest.userId });
  const { replacement_room: replacement } = await banned.ok('POST', `${room}/upgrade`, {
    new_version: '10',
  });
  assert.match(replacement, /^!/);
  const profile = `/_matrix/client/v3/profile/${banned.userId}/displayname`;
  await banned.ok('PUT', profile, { displayname: 'unheard' });
  const delays = '/_matrix/client/unstable/org.matrix.msc4140/delayed_events';
  await eventually(async () => {
    const { delayed_events: waiting } = await banned.ok('GET', delays);
    assert.equal(JSON.stringify(waiting).includes(delayId), false, 'it was due');
  });
  // What comes after is heard, so that nothing else is still on its way.
  const last = await alice.send(roomId, 'after all');
  const after = await eventsOf(alice, roomId);
  assert.deepEqual(
    after.map((event) => event['event_id']),
    [last, ...before.map((event) => event['event_id'])],
  );
  const kept = after.find((event) => event['event_id'] === own)!;
  assert.equal(kept['content'].body, 'of alice');
  assert.equal(JSON.stringify(await guest.sync()).includes(roomId), false, 'nobody is invited');
  assert.equal(JSON.stringify(await alice.sync()).includes('unheard'), false);
});

test('what a shadow-banned user may not do is refused as ever', async () => {
  const { alice, banned, roomId } = await roomWithBanned();
  const closed = await alice.createRoom();
  await admin.ok('POST', banPath(banned), {});
  const message = { msgtype: 'm.text', body: 'x' };
  await eventually(async () => {
    const path = `${banned.room(closed)}/send/m.room.message/1`;
    assert.equal(await banned.refused('PUT', path, message), '403 M_FORBIDDEN');
  });
  const levels = `${banned.room(roomId)}/state/m.room.power_levels`;
  const users = { [banned.userId]: 200 };
  assert.equal(await banned.refused('PUT', levels, { users }), '403 M_FORBIDDEN');
  const redact = `${banned.room(roomId)}/redact/$nothing/1`;
  assert.equal(await banned.refused('PUT', redact, {}), '404 M_NOT_FOUND');
  const own = `${banned.room(roomId)}/state/m.room.member/${banned.userId}`;
  await banned.ok('PUT', own, { membership: 'join', displayname: 'unheard' });
  await banned.ok('POST', `${banned.room(roomId)}/leave`, { reason: 'unheard' });
  await eventually(async () => {
    const { joined } = await alice.ok('GET', `${alice.room(roomId)}/joined_members`);
    assert.equal(banned.userId in joined, false, 'who leaves is gone');
  });
  const told = JSON.stringify(await eventsOf(alice, roomId));
  assert.equal(told.includes('unheard'), false);
});

test('rooms of shadow-banned users begin without guests; when the ban is lifted all is heard', async () => {
  const { alice, banned, roomId } = await roomWithBanned();
  await admin.ok('POST', banPath(banned), {});
  const lonely = await eventually(async () => {
    const made = await banned.createRoom({ invite: [alice.userId] });
    const member = `${banned.room(made)}/state/m.room.member/${alice.userId}`;
    assert.equal(await banned.refused('GET', member), '404 M_NOT_FOUND');
    return made;
  });
  await admin.ok('DELETE', banPath(banned), {});
  await eventually(async () => {
    const heard = await banned.send(roomId, 'heard');
    const ids = (await eventsOf(alice, roomId)).map((event) => event['event_id']);
    assert.ok(ids.includes(heard));
  });
  await banned.ok('POST', `${banned.room(lonely)}/invite`, { user_id: alice.userId });
  const unknown = '/_synapse/admin/v1/users/@nobody-at-all:test.example/shadow_ban';
  assert.equal(await admin.refused('POST', unknown, {}), '404 M_NOT_FOUND');
});
