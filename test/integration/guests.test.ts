import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer('allow_guest_access: true');
});
after(() => server.close());

const v3 = '/_matrix/client/v3';

async function registerGuest(): Promise<TestClient> {
  const guest = new TestClient(server.url);
  const made = await guest.ok('POST', `${v3}/register?kind=guest`, {});
  guest.userId = made['user_id'] as string;
  guest.token = made['access_token'] as string;
  guest.deviceId = made['device_id'] as string;
  return guest;
}

const openToGuests = {
  preset: 'public_chat',
  initial_state: [
    { type: 'm.room.guest_access', state_key: '', content: { guest_access: 'can_join' } },
  ],
};
const closed = '403 M_GUEST_ACCESS_FORBIDDEN';

test('guests look after their device and their name', async () => {
  const guest = await registerGuest();
  const device = `${v3}/devices/${guest.deviceId}`;
  await guest.ok('PUT', device, { display_name: 'A browser' });
  assert.equal((await guest.ok('GET', device))['display_name'], 'A browser');
  assert.equal((await guest.ok('GET', `${v3}/devices`))['devices'].length, 1);
  const profile = `${v3}/profile/${encodeURIComponent(guest.userId)}`;
  await guest.ok('PUT', `${profile}/displayname`, { displayname: 'Visitor' });
  assert.equal((await guest.ok('GET', profile))['displayname'], 'Visitor');
  await guest.ok('DELETE', `${profile}/displayname`);
  assert.deepEqual(await guest.ok('GET', profile), {});
  const avatar = { avatar_url: 'mxc://test.example/x' };
  assert.equal(await guest.refused('PUT', `${profile}/avatar_url`, avatar), closed);
  assert.equal(await guest.refused('DELETE', `${profile}/m.tz`), closed);
});

test('guests join rooms that are open to them, in no other way either', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const guest = await registerGuest();
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const join = `${v3}/join/${encodeURIComponent(roomId)}`;
  assert.equal(await guest.refused('POST', join, {}), closed);
  const state = `${guest.room(roomId)}/state/m.room.member/${encodeURIComponent(guest.userId)}`;
  assert.equal(await guest.refused('PUT', state, { membership: 'join' }), closed);
  await guest.join(await alice.createRoom(openToGuests));
});

test('a join by a state event is one like any other, with the name that it brings', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const bob = await TestClient.register(server.url, 'bob');
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const state = `${bob.room(roomId)}/state/m.room.member/${encodeURIComponent(bob.userId)}`;
  const { event_id: eventId } = await bob.ok('PUT', state, {
    membership: 'join',
    displayname: 'Bob of the room',
  });
  const event = await bob.ok('GET', `${bob.room(roomId)}/event/${encodeURIComponent(eventId)}`);
  assert.deepEqual(event['content'], { membership: 'join', displayname: 'Bob of the room' });
});

test('guests leave a room that is closed to them', async () => {
  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map((name) => TestClient.register(server.url, name)),
  );
  const guest = await registerGuest();
  const roomId = await alice!.createRoom(openToGuests);
  await bob!.join(roomId);
  await guest.join(roomId);
  await alice!.setState(roomId, 'm.room.guest_access', { guest_access: 'forbidden' });
  const members = `${alice!.room(roomId)}/members?membership=join`;
  await eventually(async () => {
    const { chunk } = await alice!.ok('GET', members);
    const joined = (chunk as Json[]).map((event) => event['state_key'] as string);
    assert.deepEqual(joined.toSorted(), [alice!.userId, bob!.userId].toSorted());
  });
});

test('a guest becomes a user of the same id', async () => {
  const guest = await registerGuest();
  const alice = await TestClient.register(server.url, 'alice');
  const roomId = await alice.createRoom(openToGuests);
  await guest.join(roomId);
  const username = guest.userId.slice(1).split(':')[0]!;
  const wish = { username, password: 'a new password', guest_access_token: guest.token };
  const auth = { type: 'm.login.dummy' };
  const stranger = new TestClient(server.url);
  const refused = (body: object) => stranger.refused('POST', `${v3}/register`, { auth, ...body });
  assert.equal(await refused({ ...wish, guest_access_token: 'another' }), '403 M_FORBIDDEN');
  assert.equal(await refused({ ...wish, guest_access_token: alice.token }), '403 M_FORBIDDEN');
  assert.equal(await refused({ ...wish, username: 'somebodyelse' }), '403 M_FORBIDDEN');
  assert.equal(await refused({ ...wish, username: undefined }), '400 M_MISSING_PARAM');

  const challenge = await stranger.request('POST', `${v3}/register`, wish);
  assert.equal(challenge.status, 401);
  const { session } = challenge.body;
  const made = await stranger.ok('POST', `${v3}/register`, { auth: { ...auth, session } });
  assert.equal(made['user_id'], guest.userId);
  const login = await stranger.ok('POST', `${v3}/login`, {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: username },
    password: wish.password,
  });
  const user = new TestClient(server.url);
  user.token = login['access_token'] as string;
  assert.equal((await user.ok('GET', `${v3}/account/whoami`))['is_guest'], false);
  assert.deepEqual((await user.ok('GET', `${v3}/joined_rooms`))['joined_rooms'], [roomId]);
  assert.equal(await refused(wish), '403 M_FORBIDDEN');
});
