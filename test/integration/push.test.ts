import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startPushGateway, type PushGateway } from '../harness/push-gateway.ts';
import {
  makeDataDir,
  onceOnly,
  ServerProcess,
  startTestServer,
  type TestServer,
} from '../harness/server.ts';

const extra = `ip_range_whitelist: [127.0.0.1]`;
let gateway: PushGateway;
let server: TestServer;
before(async () => {
  gateway = await startPushGateway();
  server = await startTestServer(`${extra}\npush: { group_unread_count_by_room: false }`);
});
after(async () => {
  await server.close();
  await gateway.close();
});

const v3 = '/_matrix/client/v3';

/** Gives the user a pusher at the gateway; gives its pushkey. */
async function pushTo(client: TestClient, data: Json = {}): Promise<string> {
  const pushkey = uniqueName('key');
  await client.ok('POST', `${v3}/pushers/set`, {
    kind: 'http',
    app_id: 'org.example.app',
    app_display_name: 'App',
    device_display_name: 'Phone',
    pushkey,
    lang: 'en',
    data: { url: gateway.url, ...data },
  });
  return pushkey;
}

/** Two who share a room that the second has made. */
async function chat(url = server.url) {
  const alice = await TestClient.register(url, 'alice');
  const bob = await TestClient.register(url, 'bob');
  const roomId = await bob.createRoom({ preset: 'public_chat', name: 'Garden' });
  await alice.join(roomId);
  return { alice, bob, roomId };
}

/** The pushes for a key, once there are so many. */
const pushes = (key: string, count: number) =>
  eventually(async () => {
    const found = gateway.pushes(key);
    assert.equal(found.length, count, JSON.stringify(found));
    return found;
  });

test('a message is pushed with what the gateway needs to show it', async () => {
  const { alice, bob, roomId } = await chat();
  const key = await pushTo(alice, { brand: 'x' });
  await bob.ok('PUT', `${v3}/profile/${encodeURIComponent(bob.userId)}/displayname`, {
    displayname: 'Bob',
  });
  const eventId = await bob.send(roomId, 'hello');
  const [push] = await pushes(key, 1);
  const { devices, ...shown } = push!;
  assert.deepEqual(shown, {
    id: eventId,
    event_id: eventId,
    room_id: roomId,
    type: 'm.room.message',
    sender: bob.userId,
    sender_display_name: 'Bob',
    room_name: 'Garden',
    content: { msgtype: 'm.text', body: 'hello' },
    counts: { unread: 1 },
    // In a room of two.
    prio: 'high',
  });
  assert.equal(devices.length, 1);
  assert.ok(Number.isInteger(devices[0].pushkey_ts));
  assert.deepEqual(devices[0].data, { brand: 'x' });
  assert.equal(devices[0].app_id, 'org.example.app');
  await alice.send(roomId, 'one’s own messages are not pushed');
  await bob.send(roomId, `wake up, ${alice.userId.slice(1).split(':')[0]}`);
  const loud = (await pushes(key, 2))[1]!;
  assert.equal(loud['prio'], 'high');
  assert.equal(loud['counts'].unread, 2);
  assert.deepEqual(loud['devices'][0].tweaks, { sound: 'default', highlight: true });
});

test('with event_id_only the gateway learns nothing else', async () => {
  const { alice, bob, roomId } = await chat();
  const key = await pushTo(alice, { format: 'event_id_only' });
  const eventId = await bob.send(roomId, 'secret');
  const [push] = await pushes(key, 1);
  const { devices, ...shown } = push!;
  const counts = { unread: 1 };
  assert.deepEqual(shown, { event_id: eventId, room_id: roomId, counts, prio: 'high' });
  assert.deepEqual(Object.keys(devices[0]).sort(), ['app_id', 'data', 'pushkey', 'pushkey_ts']);
});

test('an invitation is pushed, and counts', async () => {
  const { alice, bob } = await chat();
  const key = await pushTo(alice);
  const roomId = await bob.createRoom({ invite: [alice.userId] });
  const [push] = await pushes(key, 1);
  assert.equal(push!['room_id'], roomId);
  assert.equal(push!['membership'], 'invite');
  assert.equal(push!['user_is_target'], true);
  assert.equal(push!['counts'].unread, 1);
});

test('what is read elsewhere takes the count back', async () => {
  const { alice, bob, roomId } = await chat();
  const key = await pushTo(alice);
  await bob.send(roomId, 'one');
  const last = await bob.send(roomId, 'two');
  assert.equal((await pushes(key, 2))[1]!['counts'].unread, 2);
  await alice.ok('POST', `${alice.room(roomId)}/receipt/m.read/${encodeURIComponent(last)}`, {});
  const counted = (await pushes(key, 3))[2]!;
  assert.equal(counted['counts'].unread, 0);
  assert.equal(counted['event_id'], undefined);
});

test('a rejected pushkey is not used again', async () => {
  const { alice, bob, roomId } = await chat();
  const key = await pushTo(alice);
  gateway.reject(key);
  await bob.send(roomId, 'hello');
  await pushes(key, 1);
  await eventually(async () =>
    assert.deepEqual(await alice.ok('GET', `${v3}/pushers`), { pushers: [] }),
  );
});

test('a push that fails is tried again, in order', async () => {
  const { alice, bob, roomId } = await chat();
  const key = await pushTo(alice);
  gateway.answerWith(502);
  const first = await bob.send(roomId, 'one');
  const second = await bob.send(roomId, 'two');
  await eventually(async () => assert.ok(gateway.pushes(key).length > 0));
  gateway.answerWith(200);
  await eventually(async () => {
    const ids = new Set(gateway.pushes(key).map((push) => push['event_id']));
    assert.deepEqual([...ids], [first, second]);
  });
});

test('who has muted a room, or ignores the sender, is left alone', async () => {
  const { alice, bob, roomId } = await chat();
  const carol = await TestClient.register(server.url, 'carol');
  await carol.join(roomId);
  const key = await pushTo(alice);
  await alice.ok(
    'PUT',
    `${v3}/user/${encodeURIComponent(alice.userId)}/account_data/m.ignored_user_list`,
    { ignored_users: { [carol.userId]: {} } },
  );
  await carol.send(roomId, 'nobody hears me');
  const eventId = await bob.send(roomId, 'hello');
  assert.equal((await pushes(key, 1))[0]!['event_id'], eventId);
});

test(
  'what was not pushed when the server was killed is pushed when it is back',
  onceOnly,
  async () => {
    const { dataDir, configPaths } = await makeDataDir(extra);
    const child = new ServerProcess(configPaths);
    try {
      await child.start();
      const { alice, bob, roomId } = await chat(child.url);
      const key = await pushTo(alice);
      const told = await bob.send(roomId, 'one');
      await pushes(key, 1);
      gateway.answerWith(500);
      const untold = await bob.send(roomId, 'two');
      await eventually(async () => assert.ok(gateway.pushes(key).length > 1));
      await child.end('SIGKILL');
      gateway.answerWith(200);
      const before = gateway.pushes(key).length;
      await child.start();
      await eventually(async () => assert.ok(gateway.pushes(key).length > before));
      assert.equal(gateway.pushes(key).at(-1)!['event_id'], untold);
      assert.equal(gateway.pushes(key).filter((push) => push['event_id'] === told).length, 1);
    } finally {
      gateway.answerWith(200);
      await child.end('SIGTERM');
      await rm(dataDir, { recursive: true, force: true });
    }
  },
);
