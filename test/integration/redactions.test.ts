import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const redactPath = (client: TestClient, roomId: string, eventId: string) =>
  `${client.room(roomId)}/redact/${encodeURIComponent(eventId)}/r1`;

test('the event that took the place of a redacted one no longer tells of it', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const roomId = await alice.createRoom();
  const old = await alice.setState(roomId, 'm.room.topic', { topic: 'a secret' });
  const now = await alice.setState(roomId, 'm.room.topic', { topic: 'harmless' });
  const told = (events: Json[]) =>
    events.find((event) => event['event_id'] === now)?.['unsigned'] as Json | undefined;
  const timeline = (sync: Json) =>
    told((sync['rooms']?.join?.[roomId]?.['timeline']?.events ?? []) as Json[]);
  const before = await alice.syncUntil({}, (sync) => timeline(sync) !== undefined);
  assert.deepEqual(timeline(before)!['prev_content'], { topic: 'a secret' });

  await alice.ok('PUT', redactPath(alice, roomId, old), {});
  const event = await alice.ok('GET', `${alice.room(roomId)}/event/${encodeURIComponent(now)}`);
  assert.deepEqual(event['unsigned']['prev_content'], {});
  assert.equal(event['unsigned']['replaces_state'], old);
  assert.deepEqual(event['content'], { topic: 'harmless' });
  const state = (await alice.ok('GET', `${alice.room(roomId)}/state`)) as unknown as Json[];
  assert.deepEqual(told(state)!['prev_content'], {});
  const isDone = (sync: Json) => Object.keys(timeline(sync)!['prev_content'] as Json).length === 0;
  await alice.syncUntil({}, isDone);
});

test('what has been redacted is not unread', async () => {
  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map((name) => TestClient.register(server.url, name)),
  );
  const roomId = await alice!.createRoom({ preset: 'public_chat' });
  await bob!.join(roomId);
  const counts = (sync: Json) =>
    sync['rooms']?.join?.[roomId]?.['unread_notifications'] as Json | undefined;
  const mention = { msgtype: 'm.text', body: 'Bob!', 'm.mentions': { user_ids: [bob!.userId] } };
  const path = `${alice!.room(roomId)}/send/m.room.message/m1`;
  const { event_id: eventId } = await alice!.ok('PUT', path, mention);
  await alice!.send(roomId, 'stays');
  await bob!.syncUntil({}, (sync) => counts(sync)?.['notification_count'] === 2);
  await alice!.ok('PUT', redactPath(alice!, roomId, eventId as string), {});
  const sync = await bob!.syncUntil({}, (sync) => counts(sync)?.['notification_count'] !== 2);
  assert.deepEqual(counts(sync), { notification_count: 1, highlight_count: 0 });
  const { notifications } = await bob!.ok('GET', '/_matrix/client/v3/notifications');
  assert.deepEqual(
    (notifications as Json[]).map((one) => one['event'].content.body),
    ['stays'],
  );
});

test('server ACLs are not redacted', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const roomId = await alice.createRoom();
  const acl = await alice.setState(roomId, 'm.room.server_acl', { allow: ['*'] });
  assert.equal(await alice.refused('PUT', redactPath(alice, roomId, acl), {}), '403 M_FORBIDDEN');
});

test('what is not known here can be redacted by those who may redact everything', async () => {
  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map((name) => TestClient.register(server.url, name)),
  );
  const roomId = await alice!.createRoom({ preset: 'public_chat' });
  await bob!.join(roomId);
  const unknown = '$of-another-server';
  const { event_id: id } = await alice!.ok('PUT', redactPath(alice!, roomId, unknown), {});
  const event = await alice!.ok('GET', `${alice!.room(roomId)}/event/${encodeURIComponent(id)}`);
  assert.equal(event['content'].redacts, unknown);
  assert.equal(await bob!.refused('PUT', redactPath(bob!, roomId, unknown), {}), '404 M_NOT_FOUND');
});
