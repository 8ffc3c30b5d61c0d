import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let alice: TestClient;
let bob: TestClient;
let roomId: string;

before(async () => {
  server = await startTestServer();
  [alice, bob] = await Promise.all([
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'bob'),
  ]);
  roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
});
after(() => server.close());

const thread = (rootId: string) => ({
  msgtype: 'm.text',
  body: 'in the thread',
  'm.relates_to': { rel_type: 'm.thread', event_id: rootId },
});
let sent = 0;
async function sendContent(client: TestClient, content: Json): Promise<string> {
  const path = `${client.room(roomId)}/send/m.room.message/i${++sent}`;
  return (await client.ok('PUT', path, content))['event_id'] as string;
}
const idsIn = (events: unknown) => (events as Json[]).map((event) => event['event_id'] as string);

test('what ignored users send does not count as unread', async () => {
  const carol = await TestClient.register(server.url, 'carol');
  await carol.join(roomId);
  const counts = (sync: Json) =>
    sync['rooms']?.join?.[roomId]?.['unread_notifications'] as Json | undefined;
  await bob.send(roomId, 'counts');
  await carol.syncUntil({}, (sync) => counts(sync)?.['notification_count'] === 1);
  const list = `/_matrix/client/v3/user/${encodeURIComponent(carol.userId)}/account_data/m.ignored_user_list`;
  await carol.ok('PUT', list, { ignored_users: { [bob.userId]: {} } });
  await carol.syncUntil({}, (sync) => counts(sync)?.['notification_count'] === 0);
  await bob.send(roomId, `does not count, ${carol.userId}`);
  await alice.send(roomId, 'counts');
  const sync = await carol.syncUntil({}, (sync) => counts(sync)?.['notification_count'] !== 0);
  assert.deepEqual(counts(sync), { notification_count: 1, highlight_count: 0 });
});

test('who is ignored is seen nowhere but in the state', async () => {
  const mine = await alice.send(roomId, 'of alice');
  const theirs = await bob.send(roomId, 'of bob');
  const levels = await alice.ok('GET', `${alice.room(roomId)}/state/m.room.power_levels`);
  await alice.setState(roomId, 'm.room.power_levels', { ...levels, state_default: 0 });
  const topic = await bob.setState(roomId, 'm.room.topic', { topic: 'by bob' });
  const reply = await sendContent(bob, thread(mine));
  await sendContent(alice, thread(theirs));
  const room = alice.room(roomId);
  const v1 = room.replace('v3', 'v1');
  const seen = async () => {
    const page = await alice.ok('GET', `${room}/messages?dir=b&limit=50`);
    const context = await alice.ok('GET', `${room}/context/${encodeURIComponent(mine)}?limit=20`);
    const threads = await alice.ok('GET', `${v1}/threads`);
    const relations = await alice.ok('GET', `${v1}/relations/${encodeURIComponent(mine)}`);
    const after = idsIn(context['events_after']);
    return [idsIn(page['chunk']), after, idsIn(threads['chunk']), idsIn(relations['chunk'])];
  };
  const [page, around, threads, relations] = await seen();
  for (const events of [page!, around!]) assert.ok(events.includes(theirs));
  assert.deepEqual([threads, relations], [[theirs, mine], [reply]]);

  const list = `/_matrix/client/v3/user/${encodeURIComponent(alice.userId)}/account_data/m.ignored_user_list`;
  await alice.ok('PUT', list, { ignored_users: { [bob.userId]: {} } });
  await eventually(async () => {
    const [page, around, threads, relations] = await seen();
    for (const events of [page!, around!]) {
      assert.ok(!events.includes(theirs) && !events.includes(reply));
      assert.ok(events.includes(topic));
    }
    assert.deepEqual([threads, relations], [[mine], []]);
    const event = `${room}/event/${encodeURIComponent(theirs)}`;
    assert.equal(await alice.refused('GET', event), '404 M_NOT_FOUND');
  });
});
