import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { registerAdmin } from '../harness/admin.ts';
import { eventually } from '../harness/eventually.ts';
import { startFederatedServer, type FederatedServer } from '../harness/federated-server.ts';

let one: FederatedServer;
let other: FederatedServer;
before(async () => {
  [one, other] = await Promise.all([startFederatedServer(), startFederatedServer()]);
});
after(() => Promise.all([one.close(), other.close()]));

const v3 = '/_matrix/client/v3';
const encoded = encodeURIComponent;
const via = (roomId: string, server: FederatedServer) =>
  `${v3}/join/${encoded(roomId)}?via=${encoded(server.name)}`;
const roomPath = (roomId: string) => `${v3}/rooms/${encoded(roomId)}`;

async function membersOf(client: TestClient, roomId: string): Promise<string[]> {
  const { joined } = await client.ok('GET', `${roomPath(roomId)}/joined_members`);
  return Object.keys(joined as Json).toSorted();
}

for (const version of ['1', '5', '10', '12']) {
  test(`a user of one server joins a room of the other, version ${version}`, async () => {
    const alice = await TestClient.register(one.url, 'alice');
    const bob = await TestClient.register(other.url, 'bob');
    const made = { preset: 'public_chat', room_version: version, name: 'Shared' };
    const { room_id: roomId } = await alice.ok('POST', `${v3}/createRoom`, made);
    await bob.ok('POST', via(roomId as string, one), {});
    const both = [alice.userId, bob.userId].toSorted();
    assert.deepEqual(await membersOf(bob, roomId as string), both);
    assert.deepEqual(await membersOf(alice, roomId as string), both);
    const name = await bob.ok('GET', `${roomPath(roomId as string)}/state/m.room.name/`);
    assert.deepEqual(name, { name: 'Shared' });
  });
}

test('a room that one server deletes goes on elsewhere, and can be joined again', async () => {
  const admin = await registerAdmin(one.url);
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.ok('POST', via(roomId, one), {});
  const before = await alice.send(roomId, 'before');
  const path = `/_synapse/admin/v1/rooms/${encoded(roomId)}`;
  const done = await admin.ok('DELETE', path, {});
  assert.deepEqual(done['kicked_users'], [alice.userId]);
  await eventually(async () => assert.deepEqual(await membersOf(bob, roomId), [bob.userId]));
  assert.equal(await admin.refused('GET', path), '404 M_NOT_FOUND');
  await bob.send(roomId, 'meanwhile');
  await alice.ok('POST', via(roomId, other), {});
  const both = [alice.userId, bob.userId].toSorted();
  assert.deepEqual(await membersOf(alice, roomId), both);
  await eventually(async () => assert.deepEqual(await membersOf(bob, roomId), both));
  const event = `${roomPath(roomId)}/context/${encoded(before)}`;
  assert.equal(await alice.refused('GET', event), '404 M_NOT_FOUND');
  await alice.send(roomId, 'after');
});

test('a blocked room lets nobody in from other servers', async () => {
  const admin = await registerAdmin(one.url);
  const bob = await TestClient.register(other.url, 'bob');
  const alice = await TestClient.register(one.url, 'alice');
  const [open, far] = [
    await alice.createRoom({ preset: 'public_chat' }),
    await bob.createRoom({ preset: 'private_chat' }),
  ];
  for (const roomId of [open, far]) {
    const path = `/_synapse/admin/v1/rooms/${encoded(roomId)}/block`;
    // oxlint-disable-next-line no-await-in-loop
    await admin.ok('PUT', path, { block: true });
  }
  assert.equal(await bob.refused('POST', via(open, one), {}), '403 M_FORBIDDEN');
  const invite = { user_id: alice.userId };
  assert.equal(await bob.refused('POST', `${bob.room(far)}/invite`, invite), '403 M_FORBIDDEN');
});

test('who leaves and comes back has the room as it is by then', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const { room_id: roomId } = await alice.ok('POST', `${v3}/createRoom`, { preset: 'public_chat' });
  const path = roomPath(roomId as string);
  await bob.ok('POST', via(roomId as string, one), {});
  await bob.ok('POST', `${path}/leave`, {});
  await alice.ok('PUT', `${path}/state/m.room.topic/`, { topic: 'changed' });
  await bob.ok('POST', via(roomId as string, one), {});
  assert.deepEqual(await bob.ok('GET', `${path}/state/m.room.topic/`), { topic: 'changed' });
  assert.deepEqual(await membersOf(bob, roomId as string), [alice.userId, bob.userId].toSorted());
});

test('users of two servers who first share a room learn that the other one is there', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  await Promise.all([alice, bob].map((client) => client.ok('GET', `${v3}/sync?timeout=0`)));
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.ok('POST', via(roomId, one), {});
  const isSeen = async (reader: TestClient, { userId }: TestClient) => {
    const { presence } = await reader.ok('GET', `${v3}/presence/${encoded(userId)}/status`);
    assert.equal(presence, 'online');
  };
  await eventually(() => isSeen(bob, alice));
  await eventually(() => isSeen(alice, bob));
});

test('a room that is not open lets nobody in but who is invited', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const { room_id: roomId } = await alice.ok('POST', `${v3}/createRoom`, {
    preset: 'private_chat',
  });
  const path = roomPath(roomId as string);
  assert.equal(await bob.refused('POST', via(roomId as string, one), {}), '403 M_FORBIDDEN');
  await alice.ok('POST', `${path}/invite`, { user_id: bob.userId });
  const { rooms } = await bob.ok('GET', `${v3}/sync?timeout=0`);
  assert.ok(rooms.invite[roomId as string]);
  await bob.ok('POST', `${path}/join`, {});
  assert.deepEqual(await membersOf(bob, roomId as string), [alice.userId, bob.userId].toSorted());
  assert.equal(
    await alice.refused('POST', `${path}/invite`, { user_id: `@nobody:${other.name}` }),
    '403 M_FORBIDDEN',
  );
});

test('a restricted room lets in who is in the other room', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const space = await alice.ok('POST', `${v3}/createRoom`, { preset: 'public_chat' });
  const allow = [{ type: 'm.room_membership', room_id: space['room_id'] as string }];
  const { room_id: roomId } = await alice.ok('POST', `${v3}/createRoom`, {
    preset: 'private_chat',
    initial_state: [
      { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'restricted', allow } },
    ],
  });
  assert.equal(await bob.refused('POST', via(roomId as string, one), {}), '403 M_FORBIDDEN');
  await bob.ok('POST', via(space['room_id'] as string, one), {});
  await bob.ok('POST', via(roomId as string, one), {});
  const event = await bob.ok(
    'GET',
    `${roomPath(roomId as string)}/state/m.room.member/${encoded(bob.userId)}`,
  );
  assert.equal(event['join_authorised_via_users_server'], alice.userId);
});

/** A space, and a room for its members where only `alice` may invite. */
async function createRestricted(alice: TestClient) {
  const { room_id: space } = await alice.ok('POST', `${v3}/createRoom`, { preset: 'public_chat' });
  const allow = [{ type: 'm.room_membership', room_id: space as string }];
  const { room_id: roomId } = await alice.ok('POST', `${v3}/createRoom`, {
    preset: 'public_chat',
    initial_state: [
      { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'restricted', allow } },
    ],
  });
  return { space: space as string, roomId: roomId as string };
}

const joinOf = async (client: TestClient, roomId: string, userId: string) =>
  client.ok('GET', `${roomPath(roomId)}/state/m.room.member/${encoded(userId)}`);

test('where nobody here may let a user in, another server in the room does', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const carol = await TestClient.register(other.url, 'carol');
  const { space, roomId } = await createRestricted(alice);
  await alice.ok('POST', `${roomPath(roomId)}/invite`, { user_id: bob.userId });
  await bob.ok('POST', `${roomPath(roomId)}/join`, {});
  const invite = { user_id: carol.userId };
  assert.equal(await bob.refused('POST', `${roomPath(roomId)}/invite`, invite), '403 M_FORBIDDEN');
  const joinPath = `${roomPath(roomId)}/join`;
  assert.equal(await carol.refused('POST', joinPath, {}), '403 M_FORBIDDEN', 'not in the space');

  await carol.ok('POST', via(space, one), {});
  const { next_batch: since } = await carol.ok('GET', `${v3}/sync?timeout=0`);
  await carol.ok('POST', joinPath, { reason: 'curious' });
  const join = await joinOf(alice, roomId, carol.userId);
  assert.equal(join['join_authorised_via_users_server'], alice.userId);
  assert.equal(join['reason'], 'curious');
  assert.deepEqual(await joinOf(bob, roomId, carol.userId), join);
  const { rooms } = await carol.ok('GET', `${v3}/sync?timeout=20000&since=${since as string}`);
  assert.ok(rooms.join[roomId], 'the join is seen');
  const all = [alice.userId, bob.userId, carol.userId].toSorted();
  assert.deepEqual(await membersOf(bob, roomId), all);
  const sent = await carol.ok('PUT', `${roomPath(roomId)}/send/m.room.message/1`, { body: 'in' });
  await eventually(async () =>
    alice.ok('GET', `${roomPath(roomId)}/event/${encoded(sent['event_id'] as string)}`),
  );

  // A new name does not need whoever has let one in, and does not name them.
  const state = `${roomPath(roomId)}/state/m.room.member/${encoded(carol.userId)}`;
  const renamed = { membership: 'join', displayname: 'C' };
  const given = { ...renamed, join_authorised_via_users_server: 'unused' };
  await carol.ok('PUT', state, given);
  await eventually(async () =>
    assert.deepEqual(await joinOf(alice, roomId, carol.userId), renamed),
  );

  const power = { users: { [bob.userId]: 50 }, invite: 50 };
  const powerPath = `${roomPath(roomId)}/state/m.room.power_levels/`;
  await alice.ok('PUT', powerPath, power);
  await eventually(async () => assert.deepEqual(await bob.ok('GET', powerPath), power));
  await carol.ok('POST', `${roomPath(roomId)}/leave`, {});
  await carol.ok('POST', joinPath, {});
  const again = await joinOf(carol, roomId, carol.userId);
  assert.equal(again['join_authorised_via_users_server'], bob.userId, 'now somebody here may');
});

test('a join by way of another server brings what was missing before it', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const carol = await TestClient.register(other.url, 'carol');
  const { space, roomId } = await createRestricted(alice);
  await alice.ok('POST', `${roomPath(roomId)}/invite`, { user_id: bob.userId });
  await bob.ok('POST', `${roomPath(roomId)}/join`, {});
  await carol.ok('POST', via(space, one), {});
  // What is sent just now has perhaps not arrived when the join does, which follows it.
  const sent = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      alice.ok('PUT', `${roomPath(roomId)}/send/m.room.message/${i}`, { body: `${i}` }),
    ),
  );
  await carol.ok('POST', `${roomPath(roomId)}/join`, {});
  for (const { event_id: eventId } of sent) {
    const path = `${roomPath(roomId)}/event/${encoded(eventId as string)}`;
    // oxlint-disable-next-line no-await-in-loop
    await carol.ok('GET', path);
  }
});

test('a server that has left the allowed room does not vouch for what it once knew', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const dora = await TestClient.register(other.url, 'dora');
  // The room is on one server, the space on the other.
  const { room_id: space } = await bob.ok('POST', `${v3}/createRoom`, { preset: 'public_chat' });
  await alice.ok('POST', via(space as string, other), {});
  const allow = [{ type: 'm.room_membership', room_id: space as string }];
  const { room_id: roomId } = await alice.ok('POST', `${v3}/createRoom`, {
    preset: 'public_chat',
    initial_state: [
      { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'restricted', allow } },
    ],
  });
  await alice.ok('POST', `${roomPath(space as string)}/leave`, {});
  for (const client of [bob, dora]) {
    // oxlint-disable-next-line no-await-in-loop
    const refused = await client.refused('POST', via(roomId as string, one), {});
    assert.equal(refused, '400 M_UNABLE_TO_AUTHORISE_JOIN');
  }
});

test('a knock is answered with an invite', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const rule = { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } };
  const made = { preset: 'private_chat', name: 'Door', initial_state: [rule] };
  const { room_id: roomId } = await alice.ok('POST', `${v3}/createRoom`, made);
  await bob.ok('POST', `${v3}/knock/${encoded(roomId as string)}?via=${encoded(one.name)}`, {});
  const { rooms } = await bob.ok('GET', `${v3}/sync?timeout=0`);
  assert.ok(rooms.knock[roomId as string]);
  await alice.ok('POST', `${roomPath(roomId as string)}/invite`, { user_id: bob.userId });
  await bob.ok('POST', `${roomPath(roomId as string)}/join`, {});
  assert.deepEqual(await membersOf(alice, roomId as string), [alice.userId, bob.userId].toSorted());
});

/** What syncs bring of a room; presence may wake them before that. */
async function heard(client: TestClient, roomId: string, since: string): Promise<Json[]> {
  const { rooms, next_batch: next } = await client.ok(
    'GET',
    `${v3}/sync?timeout=20000&since=${since}`,
  );
  const room = rooms?.join?.[roomId] as Json | undefined;
  return room ? (room['timeline'].events as Json[]) : heard(client, roomId, next as string);
}

test('what is said on one server is heard on the other, both ways', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const made = { preset: 'private_chat', invite: [bob.userId] };
  const { room_id: roomId } = await alice.ok('POST', `${v3}/createRoom`, made);
  const path = roomPath(roomId as string);
  await bob.ok('POST', `${path}/join`, {});
  const { next_batch: since } = await bob.ok('GET', `${v3}/sync?timeout=0`);
  await alice.ok('PUT', `${path}/send/m.room.message/1`, { body: 'to bob' });
  const bodiesOf = (events: Json[]) => events.map((event) => event['content'].body as string);
  assert.deepEqual(bodiesOf(await heard(bob, roomId as string, since as string)), ['to bob']);
  const { next_batch: before } = await alice.ok('GET', `${v3}/sync?timeout=0`);
  await bob.ok('PUT', `${path}/send/m.room.message/1`, { body: 'to alice' });
  assert.deepEqual(bodiesOf(await heard(alice, roomId as string, before as string)), ['to alice']);
});

test('who joins reads what was before, page by page, to the beginning', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const { room_id: roomId } = await alice.ok('POST', `${v3}/createRoom`, { preset: 'public_chat' });
  const path = roomPath(roomId as string);
  const bodies = Array.from({ length: 12 }, (_, i) => `message ${i}`);
  for (const body of bodies) {
    // oxlint-disable-next-line no-await-in-loop
    await alice.ok('PUT', `${path}/send/m.room.message/${encoded(body)}`, { body });
  }
  await bob.ok('POST', via(roomId as string, one), {});
  const { rooms } = await bob.ok('GET', `${v3}/sync?timeout=0`);
  const { prev_batch: from } = rooms.join[roomId as string].timeline as Json;
  const read = async (client: TestClient, begin: string | undefined) => {
    const events: Json[] = [];
    let at: string | undefined = begin;
    do {
      const page: Json = await client.ok(
        'GET',
        `${path}/messages?dir=b&limit=5${at === undefined ? '' : `&from=${at}`}`,
      );
      events.push(...(page['chunk'] as Json[]));
      at = page['end'] as string | undefined;
    } while (at !== undefined);
    return events.map((event) => event['content'].body ?? event['type']) as string[];
  };
  const whole = await read(alice, undefined);
  assert.equal(whole.at(-1), 'm.room.create');
  assert.deepEqual(await read(bob, from as string), whole.slice(1), 'from where the sync began');
  assert.deepEqual(await read(bob, undefined), whole, 'from now');
  const late = await TestClient.register(other.url, 'late');
  await late.ok('POST', `${path}/join`, {});
  assert.ok((await read(late, undefined)).includes('message 0'));
});

test('history for those who were there is not asked for', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const content = { history_visibility: 'joined' };
  const { room_id: roomId } = await alice.ok('POST', `${v3}/createRoom`, {
    preset: 'public_chat',
    initial_state: [{ type: 'm.room.history_visibility', state_key: '', content }],
  });
  const path = roomPath(roomId as string);
  await alice.ok('PUT', `${path}/send/m.room.message/1`, { body: 'among us' });
  await bob.ok('POST', via(roomId as string, one), {});
  const { chunk } = await bob.ok('GET', `${path}/messages?dir=b&limit=50`);
  assert.deepEqual(
    (chunk as Json[]).map((event) => event['type']),
    ['m.room.member'],
  );
});

test('what a user has set for a room moves along to the one that replaces it', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const { room_id: roomId } = await alice.ok('POST', `${v3}/createRoom`, { preset: 'public_chat' });
  await bob.ok('POST', via(roomId as string, one), {});
  const tags = (room: string) => `${v3}/user/${encoded(bob.userId)}/rooms/${encoded(room)}/tags`;
  await bob.ok('PUT', `${tags(roomId as string)}/m.favourite`, { order: 0.5 });
  const upgraded = await alice.ok('POST', `${roomPath(roomId as string)}/upgrade`, {
    new_version: '11',
  });
  const next = upgraded['replacement_room'] as string;
  await bob.ok('POST', via(next, one), {});
  const { tags: carried } = await bob.ok('GET', tags(next));
  assert.deepEqual(carried, { 'm.favourite': { order: 0.5 } });
});
