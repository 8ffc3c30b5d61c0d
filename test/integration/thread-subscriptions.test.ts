import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let alice: TestClient;
let bob: TestClient;
let sent = 0;

before(async () => {
  server = await startTestServer('experimental_features: { msc4306_enabled: true }');
  [alice, bob] = await Promise.all([
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'bob'),
  ]);
});
after(() => server.close());

const unstable = '/_matrix/client/unstable';
const extension = 'io.element.msc4308.thread_subscriptions';

const pathOf = (roomId: string, rootId: string) =>
  `${unstable}/io.element.msc4306/rooms/${encodeURIComponent(roomId)}/thread/` +
  `${encodeURIComponent(rootId)}/subscription`;
const subscribe = (client: TestClient, roomId: string, rootId: string, body: Json = {}) =>
  client.ok('PUT', pathOf(roomId, rootId), body);
const unsubscribe = (client: TestClient, roomId: string, rootId: string) =>
  client.ok('DELETE', pathOf(roomId, rootId));

async function reply(client: TestClient, roomId: string, rootId: string, body = 'reply') {
  const path = `${client.room(roomId)}/send/m.room.message/r${++sent}`;
  const relation = { rel_type: 'm.thread', event_id: rootId };
  const content = { msgtype: 'm.text', body, 'm.relates_to': relation };
  return (await client.ok('PUT', path, content))['event_id'] as string;
}

async function sharedRoom(): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  return roomId;
}

const changes = (client: TestClient, query: Record<string, string>) =>
  client.ok(
    'GET',
    `${unstable}/io.element.msc4308/thread_subscriptions?` +
      new URLSearchParams({ dir: 'b', ...query }).toString(),
  );

async function slide(client: TestClient, pos: string | null, timeout = 0, limit = 100) {
  const query = pos === null ? '' : `?pos=${encodeURIComponent(pos)}&timeout=${timeout}`;
  const body = { extensions: { [extension]: { enabled: true, limit } } };
  const answer = await client.ok(
    'POST',
    `${unstable}/org.matrix.simplified_msc3575/sync${query}`,
    body,
  );
  return {
    pos: answer['pos'] as string,
    part: answer['extensions'][extension] as Json | undefined,
  };
}

test('a thread is subscribed to, by hand or by the client, and left', async () => {
  const roomId = await sharedRoom();
  const root = await alice.send(roomId, 'root');
  const path = pathOf(roomId, root);
  assert.equal(await alice.refused('GET', path), '404 M_NOT_FOUND');
  await unsubscribe(alice, roomId, root);
  const first = await reply(bob, roomId, root);
  await subscribe(alice, roomId, root, { automatic: first });
  assert.deepEqual(await alice.ok('GET', path), { automatic: true });
  assert.equal(await bob.refused('GET', path), '404 M_NOT_FOUND');
  await subscribe(alice, roomId, root);
  assert.deepEqual(await alice.ok('GET', path), { automatic: false });
  await subscribe(alice, roomId, root, { automatic: first });
  assert.deepEqual(await alice.ok('GET', path), { automatic: false });
  await unsubscribe(alice, roomId, root);
  assert.equal(await alice.refused('GET', path), '404 M_NOT_FOUND');
  const conflict = '409 IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION';
  assert.equal(await alice.refused('PUT', path, { automatic: first }), conflict);
  const later = await reply(bob, roomId, root);
  await subscribe(alice, roomId, root, { automatic: later });
  assert.deepEqual(await alice.ok('GET', path), { automatic: true });
});

test('only what the user may see can be subscribed to', async () => {
  const roomId = await alice.createRoom();
  const root = await alice.send(roomId, 'root');
  const other = await alice.send(roomId, 'other');
  const inOther = await reply(alice, roomId, other);
  const path = pathOf(roomId, root);
  const notInThread = '400 IO.ELEMENT.MSC4306.M_NOT_IN_THREAD';
  assert.equal(await alice.refused('PUT', path, { automatic: root }), notInThread);
  assert.equal(await alice.refused('PUT', path, { automatic: inOther }), notInThread);
  assert.equal(await alice.refused('PUT', path, { automatic: '$x:y' }), '404 M_NOT_FOUND');
  assert.equal(await alice.refused('PUT', path, { automatic: 5 }), '400 M_BAD_JSON');
  assert.equal(await alice.refused('PUT', pathOf(roomId, 'x'), {}), '400 M_INVALID_PARAM');
  for (const wrong of [pathOf(roomId, '$x:y'), pathOf('!none:test.example', root)]) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await alice.refused('PUT', wrong, {}), '404 M_NOT_FOUND');
  }
  for (const method of ['GET', 'PUT', 'DELETE'] as const) {
    const body = method === 'PUT' ? {} : undefined;
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await bob.refused(method, path, body), '404 M_NOT_FOUND');
  }
});

test('changes come by sliding sync, what it leaves out in pages', async () => {
  const carol = await TestClient.register(server.url, 'carol');
  const roomId = await carol.createRoom();
  const roots: string[] = [];
  for (const name of ['one', 'two', 'three']) {
    // oxlint-disable-next-line no-await-in-loop
    roots.push(await carol.send(roomId, name));
  }
  const [one, two, three] = roots as [string, string, string];
  const start = await slide(carol, null);
  assert.equal(start.part, undefined);
  const waiting = slide(carol, start.pos, 30_000);
  await subscribe(carol, roomId, one);
  const news = await waiting;
  const shown = news.part!['subscribed'][roomId][one] as Json;
  assert.equal(shown['automatic'], false);
  assert.equal(typeof shown['bump_stamp'], 'number');
  assert.equal((await slide(carol, news.pos)).part, undefined);
  await subscribe(carol, roomId, two);
  await unsubscribe(carol, roomId, one);
  await subscribe(carol, roomId, three);
  const all = await eventually(async () => {
    const { part } = await slide(carol, news.pos);
    assert.deepEqual(Object.keys(part!['unsubscribed'][roomId] as Json), [one]);
    assert.deepEqual(
      Object.keys(part!['subscribed'][roomId] as Json).toSorted(),
      [two, three].toSorted(),
    );
    return part!;
  });
  assert.equal(all['prev_batch'], undefined);
  const cut = await slide(carol, news.pos, 0, 1);
  assert.deepEqual(Object.keys(cut.part!['subscribed'][roomId] as Json), [three]);
  const page = await changes(carol, { from: cut.part!['prev_batch'] as string, limit: '1' });
  assert.deepEqual(Object.keys(page['unsubscribed'][roomId] as Json), [one]);
  const rest = await changes(carol, { from: page['end'] as string, to: news.pos });
  assert.deepEqual(Object.keys(rest['subscribed'][roomId] as Json), [two]);
  assert.equal(rest['end'], undefined);
  const path = `${unstable}/io.element.msc4308/thread_subscriptions`;
  assert.equal(await carol.refused('GET', `${path}?dir=b&from=x`), '400 M_INVALID_PARAM');
  assert.equal(await carol.refused('GET', `${path}?dir=b&to=x`), '400 M_INVALID_PARAM');
});

const unreadFilter = JSON.stringify({ room: { timeline: { unread_thread_notifications: true } } });

async function unread(client: TestClient, roomId: string): Promise<Json> {
  const room = (await client.sync({ filter: unreadFilter }))['rooms'].join[roomId] as Json;
  return (room['unread_thread_notifications'] ?? {}) as Json;
}

test('those who subscribe to a thread are notified, others are not', async () => {
  const roomId = await sharedRoom();
  const root = await alice.send(roomId, 'root');
  const quiet = await alice.send(roomId, 'quiet');
  await bob.sync({ filter: unreadFilter });
  await reply(alice, roomId, root);
  await subscribe(bob, roomId, root);
  await reply(alice, roomId, root);
  await reply(alice, roomId, quiet);
  const one = { notification_count: 1, highlight_count: 0 };
  await eventually(async () => assert.deepEqual(await unread(bob, roomId), { [root]: one }));
  await reply(alice, roomId, quiet, `${bob.userId.slice(1, bob.userId.indexOf(':'))}, look`);
  const mention = { notification_count: 1, highlight_count: 1 };
  await eventually(async () =>
    assert.deepEqual(await unread(bob, roomId), { [root]: one, [quiet]: mention }),
  );
  const told = async () => {
    const answer = await bob.ok('GET', '/_matrix/client/v3/notifications');
    const all = answer['notifications'] as Json[];
    return all
      .filter((one) => one['room_id'] === roomId && one['event']['content']['m.relates_to'])
      .map((one) => one['event']['content']['m.relates_to']['event_id'] as string);
  };
  assert.deepEqual(await told(), [quiet, root]);
  await unsubscribe(bob, roomId, root);
  await reply(alice, roomId, root);
  await eventually(async () => assert.deepEqual(await unread(bob, roomId), { [quiet]: mention }));
  assert.deepEqual(await told(), [quiet]);
});

test('the rules can be switched, and no others of their kind be made', async () => {
  const rules = '/_matrix/client/v3/pushrules/global';
  const ids = ((await bob.ok('GET', `${rules}/postcontent/`)) as unknown as Json[]).map(
    (rule) => rule['rule_id'] as string,
  );
  assert.deepEqual(ids, [
    '.io.element.msc4306.rule.unsubscribed_thread',
    '.io.element.msc4306.rule.subscribed_thread',
  ]);
  const path = `${rules}/postcontent/${ids[0]}`;
  await bob.ok('PUT', `${path}/enabled`, { enabled: false });
  assert.deepEqual(await bob.ok('GET', `${path}/enabled`), { enabled: false });
  const own = { conditions: [], actions: [] };
  assert.equal(await bob.refused('PUT', `${rules}/postcontent/own`, own), '400 M_INVALID_PARAM');
  const { unstable_features: features } = await bob.ok('GET', '/_matrix/client/versions');
  assert.equal((features as Json)['org.matrix.msc4306'], true);
});
