import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let alice: TestClient;
let bob: TestClient;
let sent = 0;

before(async () => {
  server = await startTestServer();
  [alice, bob] = await Promise.all([
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'bob'),
  ]);
});
after(() => server.close());

async function sharedRoom(): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  return roomId;
}

async function reply(client: TestClient, roomId: string, rootId: string, more: Json = {}) {
  const path = `${client.room(roomId)}/send/m.room.message/r${++sent}`;
  const body = {
    msgtype: 'm.text',
    body: `reply ${sent}`,
    'm.relates_to': { rel_type: 'm.thread', event_id: rootId },
    ...more,
  };
  return (await client.ok('PUT', path, body))['event_id'] as string;
}

const redact = (roomId: string, eventId: string) =>
  alice.ok('PUT', `${alice.room(roomId)}/redact/${encodeURIComponent(eventId)}/x${++sent}`, {});

const threads = (client: TestClient, roomId: string, query = '') =>
  client.ok('GET', `/_matrix/client/v1/rooms/${encodeURIComponent(roomId)}/threads${query}`);

const idsOf = (answer: Json) => (answer['chunk'] as Json[]).map((event) => event['event_id']);
const summaryOf = (event: Json | undefined) =>
  event?.['unsigned']['m.relations']['m.thread'] as Json;

test('threads are listed by their newest event, each with its summary', async () => {
  const roomId = await sharedRoom();
  const one = await alice.send(roomId, 'one');
  const two = await alice.send(roomId, 'two');
  await reply(alice, roomId, one);
  const inTwo = await reply(bob, roomId, two);
  assert.deepEqual(idsOf(await threads(alice, roomId)), [two, one]);
  const last = await reply(alice, roomId, one);
  const listed = await threads(bob, roomId);
  assert.deepEqual(idsOf(listed), [one, two]);
  const [first, second] = (listed['chunk'] as Json[]).map(summaryOf);
  assert.equal(first!['count'], 2);
  assert.equal(first!['latest_event']['event_id'], last);
  assert.equal(first!['current_user_participated'], false);
  assert.equal(second!['count'], 1);
  assert.equal(second!['latest_event']['event_id'], inTwo);
  assert.equal(second!['current_user_participated'], true);
  assert.deepEqual(idsOf(await threads(bob, roomId, '?include=participated')), [two]);
  assert.deepEqual(idsOf(await threads(alice, roomId, '?include=participated')), [one, two]);
});

test('the newest event of a summary comes with its edit', async () => {
  const roomId = await sharedRoom();
  const root = await alice.send(roomId, 'root');
  const last = await reply(bob, roomId, root);
  const edit = await reply(bob, roomId, root, {
    'm.new_content': { msgtype: 'm.text', body: 'better' },
    'm.relates_to': { rel_type: 'm.replace', event_id: last },
  });
  const [event] = (await threads(alice, roomId))['chunk'] as Json[];
  const { latest_event: latest, count } = summaryOf(event);
  assert.equal(count, 1);
  assert.equal(latest['event_id'], last);
  assert.equal(latest['unsigned']['m.relations']['m.replace']['event_id'], edit);
});

test('threads come in pages', async () => {
  const roomId = await sharedRoom();
  const roots: string[] = [];
  for (let i = 0; i < 5; i++) {
    // oxlint-disable-next-line no-await-in-loop -- their order counts
    roots.push(await alice.send(roomId, `root ${i}`));
    // oxlint-disable-next-line no-await-in-loop
    await reply(alice, roomId, roots.at(-1)!);
  }
  const found: unknown[] = [];
  let from = '';
  do {
    // oxlint-disable-next-line no-await-in-loop
    const page = await threads(alice, roomId, `?limit=2${from}`);
    found.push(...idsOf(page));
    from = page['next_batch'] ? `&from=${page['next_batch']}` : '';
  } while (from !== '');
  assert.deepEqual(found, roots.toReversed());
});

test('redacted replies leave the thread, and with the last it ends', async () => {
  const roomId = await sharedRoom();
  const [one, two] = [await alice.send(roomId, 'one'), await alice.send(roomId, 'two')];
  const early = await reply(alice, roomId, one);
  await reply(alice, roomId, two);
  const late = await reply(alice, roomId, one);
  await redact(roomId, late);
  const listed = await threads(alice, roomId);
  assert.deepEqual(idsOf(listed), [two, one]);
  const summary = summaryOf((listed['chunk'] as Json[])[1]);
  assert.equal(summary['count'], 1);
  assert.equal(summary['latest_event']['event_id'], early);
  await redact(roomId, early);
  assert.deepEqual(idsOf(await threads(alice, roomId)), [two]);
});

test('no thread begins at an event that refers to another', async () => {
  const roomId = await sharedRoom();
  const root = await alice.send(roomId, 'root');
  const inside = await reply(alice, roomId, root);
  const path = `${alice.room(roomId)}/send/m.room.message/nested`;
  const body = { body: 'x', 'm.relates_to': { rel_type: 'm.thread', event_id: inside } };
  assert.equal(await alice.refused('PUT', path, body), '400 M_UNKNOWN');
});
