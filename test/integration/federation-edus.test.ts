import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '../../src/matrix/pdu.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { RemoteRoom } from '../harness/remote-room.ts';
import { startRemoteServer, type RemoteServer } from '../harness/remote-server.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

const v1 = '/_matrix/federation/v1';
const v3 = '/_matrix/client/v3';
const encoded = encodeURIComponent;

let server: TestServer;
let remote: RemoteServer;
const rooms: RemoteRoom[] = [];
/** What the remote server says of its users' devices, by user id. */
const lists = new Map<string, Json>();
before(async () => {
  [server, remote] = await Promise.all([startTestServer(), startRemoteServer()]);
  remote.answer = (request) => {
    for (const room of rooms) {
      const answer = room.answer(request);
      if (answer) return answer;
    }
    const list = lists.get(decodeURIComponent(request.uri.slice(`${v1}/user/devices/`.length)));
    return list ? [200, list] : null;
  };
});
after(() => Promise.all([server.close(), remote.stop()]));

let transactions = 0;
async function send(...edus: [type: string, content: Json][]): Promise<void> {
  const { status, body } = await remote.request(
    server.url,
    'PUT',
    `${v1}/send/t${++transactions}`,
    {
      origin: remote.name,
      origin_server_ts: Date.now(),
      pdus: [],
      edus: edus.map(([edu_type, content]) => ({ edu_type, content })),
    },
  );
  assert.deepEqual([status, body], [200, { pdus: {} }]);
}

let users = 0;
/** A user of this server in a room with one of the other. */
async function sharing(acl?: JsonObject) {
  const room = new RemoteRoom(remote);
  rooms.push(room);
  if (acl) room.set('m.room.server_acl', acl);
  const bob = `@bob${++users}:${remote.name}`;
  room.member(bob, 'join');
  const alice = await TestClient.register(server.url, 'alice');
  await alice.ok('POST', `${v3}/join/${encoded(room.roomId)}?via=${encoded(remote.name)}`, {});
  const { next_batch: since } = await alice.syncUntil({ timeout: '0' }, (sync) =>
    Boolean(sync['rooms']?.join?.[room.roomId]),
  );
  return { room, bob, alice, since: since as string };
}

test('messages to devices arrive, once', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const second = new TestClient(server.url);
  const login = await second.ok('POST', `${v3}/login`, {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: alice.userId },
    password: `password of ${alice.userId.slice(1).split(':')[0]!}`,
  });
  second.token = login['access_token'] as string;
  const sender = `@bob:${remote.name}`;
  const edu = (messageId: string, messages: Json): [string, Json] => [
    'm.direct_to_device',
    {
      sender,
      type: 'm.test',
      message_id: messageId,
      messages: { [alice.userId]: messages, '@nobody:test.example': { '*': {} } },
    },
  ];
  const first = edu('first', { [alice.deviceId]: { a: 1 } });
  await send(first, edu('second', { '*': { a: 2 } }));
  await send(first, edu('third', { '*': { a: 3 } }));
  const received = async (client: TestClient) => {
    const { to_device: toDevice } = await client.syncUntil({ timeout: '0' }, (sync) =>
      (sync['to_device']?.events ?? []).some((event: Json) => event['content'].a === 3),
    );
    return toDevice.events as Json[];
  };
  const message = (a: number) => ({ sender, type: 'm.test', content: { a } });
  assert.deepEqual(await received(alice), [message(1), message(2), message(3)]);
  assert.deepEqual(await received(second), [message(2), message(3)]);
});

test('users of other servers type, read and are present', async () => {
  const { room, bob, alice, since } = await sharing();
  const eventId = await alice.send(room.roomId, 'hello');
  const typing = (userId: string, isTyping: boolean): [string, Json] => [
    'm.typing',
    { room_id: room.roomId, user_id: userId, typing: isTyping },
  ];
  const read = { event_ids: [eventId], data: { ts: 5, thread_id: 'main' } };
  const stranger = `@stranger:${remote.name}`;
  const presence = { presence: 'unavailable', last_active_ago: 5_000, status_msg: 'Away' };
  const receipts = { 'm.read': { [bob]: read, [stranger]: read } };
  await send(
    typing(stranger, true),
    typing(bob, true),
    ['m.receipt', { [room.roomId]: { ...receipts, 'm.read.private': { [bob]: read } } }],
    ['m.presence', { push: [bob, stranger].map((user_id) => ({ ...presence, user_id })) }],
    ['m.unknown', {}],
  );
  const ephemeral = new Map<string, Json>();
  const present = new Map<string, Json>();
  await alice.syncUntil({ since }, (sync) => {
    for (const event of (sync['rooms']?.join?.[room.roomId]?.ephemeral?.events ?? []) as Json[]) {
      ephemeral.set(event['type'] as string, event['content'] as Json);
    }
    for (const event of (sync['presence']?.events ?? []) as Json[]) {
      present.set(event['sender'] as string, event['content'] as Json);
    }
    return ephemeral.size === 2 && present.has(bob);
  });
  assert.deepEqual(ephemeral.get('m.typing'), { user_ids: [bob] });
  assert.deepEqual(ephemeral.get('m.receipt'), {
    [eventId]: { 'm.read': { [bob]: { ts: 5, thread_id: 'main' } } },
  });
  assert.equal(present.get(bob)!['presence'], 'unavailable');
  assert.equal(present.get(bob)!['status_msg'], 'Away');
  assert.ok(!present.has(stranger));
  const status = await alice.ok('GET', `${v3}/presence/${encoded(bob)}/status`);
  assert.equal(status['presence'], 'unavailable');

  const { next_batch: next } = await alice.sync({ timeout: '0' });
  await send(typing(bob, false));
  const { rooms: shown } = await alice.syncUntil({ since: next as string }, (sync) =>
    Boolean(sync['rooms']?.join?.[room.roomId]?.ephemeral?.events.length),
  );
  const [stopped] = shown.join[room.roomId].ephemeral.events as Json[];
  assert.deepEqual(stopped, { type: 'm.typing', content: { user_ids: [] } });
});

test('a server that a room shuts out says nothing about it', async () => {
  const closed = await sharing({ allow: ['*'], deny: ['localhost'] });
  const open = await sharing({ allow: ['*'], deny: [] });
  const typing = ({ room, bob }: typeof open): [string, Json] => [
    'm.typing',
    { room_id: room.roomId, user_id: bob, typing: true },
  ];
  await send(typing(closed), typing(open));
  const typistsIn = (sync: Json, { room }: typeof open): string[] =>
    ((sync['rooms']?.join?.[room.roomId]?.ephemeral?.events ?? []) as Json[]).flatMap(
      (event) => event['content'].user_ids as string[],
    );
  // The EDUs are taken in their order.
  await open.alice.syncUntil({}, (sync) => typistsIn(sync, open).length > 0);
  await closed.alice.join(open.room.roomId);
  const seen = await closed.alice.syncUntil({}, (sync) => typistsIn(sync, open).length > 0);
  assert.deepEqual(typistsIn(seen, closed), []);
});

describe('devices of users of other servers', () => {
  const keys = (userId: string, deviceId: string, key: string): JsonObject => ({
    user_id: userId,
    device_id: deviceId,
    algorithms: [],
    keys: { [`ed25519:${deviceId}`]: key },
    signatures: {},
  });
  const asked = (userId: string) =>
    remote.asked.filter(({ uri }) => uri.endsWith(`/user/devices/${encoded(userId)}`)).length;

  async function devicesOf(by: TestClient, userId: string): Promise<Json> {
    const answer = await by.ok('POST', `${v3}/keys/query`, { device_keys: { [userId]: [] } });
    assert.deepEqual(answer['failures'], {});
    const devices = (answer['device_keys'][userId] ?? {}) as Record<string, Json>;
    return Object.fromEntries(
      Object.entries(devices).map(([id, device]) => [id, device['keys'][`ed25519:${id}`]]),
    );
  }

  /** Another process may not have the room yet when it asks, and asks again. */
  const followed = (by: TestClient, userId: string) =>
    eventually(async () => {
      const before = asked(userId);
      const devices = await devicesOf(by, userId);
      assert.equal(asked(userId), before, 'what is known is current');
      return devices;
    });

  const told = (by: TestClient, since: string, userId: string) =>
    by.syncUntil({ since }, (sync) => Boolean(sync['device_lists']?.changed?.includes(userId)));

  const update = (userId: string, more: Json): [string, Json] => [
    'm.device_list_update',
    { user_id: userId, ...more },
  ];

  test('change as their servers tell, and are fetched again when something was missed', async () => {
    const { bob, alice } = await sharing();
    lists.set(bob, {
      user_id: bob,
      stream_id: 5,
      devices: [{ device_id: 'A', keys: keys(bob, 'A', 'a') }],
    });
    assert.deepEqual(await followed(alice, bob), { A: 'a' });
    const { next_batch: first } = await alice.sync({ timeout: '0' });
    const fetched = asked(bob);
    await send(
      update(bob, { device_id: 'B', stream_id: 6, prev_id: [5], keys: keys(bob, 'B', 'b') }),
      update(bob, { device_id: 'A', stream_id: 7, prev_id: [6], deleted: true }),
      update(bob, { device_id: 'A', stream_id: 7, prev_id: [6], deleted: true }),
      update(bob, { device_id: 'C', stream_id: 8, prev_id: [7], keys: keys(bob, 'D', 'd') }),
    );
    const { next_batch: second } = await told(alice, first as string, bob);
    assert.deepEqual(await devicesOf(alice, bob), { B: 'b' });
    assert.equal(asked(bob), fetched, 'nothing was missed');

    lists.get(bob)!['stream_id'] = 12;
    lists.get(bob)!['devices'] = [{ device_id: 'E', keys: keys(bob, 'E', 'e') }];
    await send(update(bob, { device_id: 'E', stream_id: 12, prev_id: [11] }));
    await told(alice, second as string, bob);
    assert.deepEqual(await devicesOf(alice, bob), { E: 'e' });
    assert.equal(asked(bob), fetched + 1);
    assert.deepEqual(await followed(alice, bob), { E: 'e' });
  });

  test('are those of the user’s own server only', async () => {
    const { bob, alice } = await sharing();
    lists.set(bob, { user_id: bob, stream_id: 5, devices: [] });
    assert.deepEqual(await followed(alice, bob), {});
    const stranger = await startRemoteServer();
    const content = { user_id: bob, device_id: 'B', stream_id: 6, prev_id: [5] };
    const edu = {
      edu_type: 'm.device_list_update',
      content: { ...content, keys: keys(bob, 'B', 'b') },
    };
    const body = { origin: stranger.name, origin_server_ts: 1, pdus: [], edus: [edu] };
    await stranger.request(server.url, 'PUT', `${v1}/send/t1`, body);
    await stranger.stop();
    assert.deepEqual(await devicesOf(alice, bob), {});
  });

  test('whom nobody shares a room with any more are not followed', async () => {
    const { room, bob, alice } = await sharing();
    lists.set(bob, { user_id: bob, stream_id: 5, devices: [] });
    assert.deepEqual(await followed(alice, bob), {});
    const { next_batch: since } = await alice.sync({ timeout: '0' });
    await alice.ok('POST', `${alice.room(room.roomId)}/leave`, {});
    const gone = await alice.syncUntil({ since: since as string }, (sync) =>
      Boolean(sync['device_lists']?.left?.includes(bob)),
    );
    const edu = { device_id: 'B', stream_id: 6, prev_id: [5], keys: keys(bob, 'B', 'b') };
    await send(update(bob, edu));
    lists.get(bob)!['devices'] = [{ device_id: 'B', keys: keys(bob, 'B', 'b') }];
    await alice.ok('POST', `${v3}/join/${encoded(room.roomId)}?via=${encoded(remote.name)}`, {});
    await told(alice, gone['next_batch'] as string, bob);
    assert.deepEqual(await devicesOf(alice, bob), { B: 'b' });
  });

  test('are signed with keys that change', async () => {
    const { bob, alice } = await sharing();
    const master = (key: string): Json => ({
      user_id: bob,
      usage: ['master'],
      keys: { [`ed25519:${key}`]: key },
    });
    lists.set(bob, { user_id: bob, stream_id: 5, devices: [], master_key: master('one') });
    await followed(alice, bob);
    const masterOf = async () => {
      const answer = await alice.ok('POST', `${v3}/keys/query`, { device_keys: { [bob]: [] } });
      return answer['master_keys'][bob] as Json;
    };
    assert.deepEqual(await masterOf(), master('one'));
    const { next_batch: since } = await alice.sync({ timeout: '0' });
    const fetched = asked(bob);
    await send(['m.signing_key_update', { user_id: bob, master_key: master('two') }]);
    const { next_batch: next } = await told(alice, since as string, bob);
    assert.deepEqual(await masterOf(), master('two'));
    const unstable = { user_id: bob, master_key: master('three') };
    await send(['org.matrix.signing_key_update', unstable]);
    await told(alice, next as string, bob);
    assert.deepEqual(await masterOf(), master('three'));
    assert.equal(asked(bob), fetched);
  });
});
