import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let alice: TestClient;
let sent = 0;

before(async () => {
  server = await startTestServer('experimental_features: { msc4354_enabled: true }');
  alice = await TestClient.register(server.url, 'alice');
});
after(() => server.close());

const hourMs = 60 * 60 * 1000;
const extension = 'org.matrix.msc4354.sticky_events';
const slidingPath = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync';
const shortTimeline = JSON.stringify({ room: { timeline: { limit: 1 } } });

async function stick(client: TestClient, roomId: string, body: string, stickyMs = hourMs) {
  const query = `org.matrix.msc4354.sticky_duration_ms=${stickyMs}`;
  const path = `${client.room(roomId)}/send/m.room.message/s${++sent}?${query}`;
  return (await client.ok('PUT', path, { msgtype: 'm.text', body }))['event_id'] as string;
}

const roomIn = (sync: Json, roomId: string) => sync['rooms'].join[roomId] as Json;
const stickyIn = (sync: Json, roomId: string) =>
  ((roomIn(sync, roomId)['msc4354_sticky']?.events ?? []) as Json[]).map(
    (event) => event['event_id'] as string,
  );

test('a sticky event says so, for an hour at most', async () => {
  const roomId = await alice.createRoom();
  const path = (id: string) => `${alice.room(roomId)}/event/${encodeURIComponent(id)}`;
  const event = await alice.ok('GET', path(await stick(alice, roomId, 'a', 50 * hourMs)));
  assert.deepEqual(event['msc4354_sticky'], { duration_ms: hourMs });
  const ttlMs = event['unsigned']['msc4354_sticky_duration_ttl_ms'] as number;
  assert.ok(ttlMs > 0 && ttlMs <= hourMs);
  const plain = await alice.ok('GET', path(await alice.send(roomId, 'b')));
  assert.equal(plain['msc4354_sticky'], undefined);
  assert.equal(plain['unsigned']['msc4354_sticky_duration_ttl_ms'], undefined);
  const query = 'org.matrix.msc4354.sticky_duration_ms=-1';
  const wrong = `${alice.room(roomId)}/send/m.room.message/wrong?${query}`;
  assert.equal((await alice.request('PUT', wrong, {})).status, 400);
  const state = `${alice.room(roomId)}/state/org.example.call?${query.replace('-1', '5000')}`;
  const first = (await alice.ok('PUT', state, { n: 1 }))['event_id'] as string;
  const second = (await alice.ok('PUT', state, { n: 2 }))['event_id'] as string;
  const shown = await alice.ok('GET', path(second));
  assert.deepEqual(shown['msc4354_sticky'], { duration_ms: 5000 });
  assert.equal(shown['unsigned']['replaces_state'], first);
  assert.deepEqual(shown['unsigned']['prev_content'], { n: 1 });
});

test('a delayed event is sticky once it has been sent', async () => {
  const roomId = await alice.createRoom();
  const query = 'org.matrix.msc4140.delay=10&org.matrix.msc4354.sticky_duration_ms=60000';
  await alice.ok('PUT', `${alice.room(roomId)}/send/m.room.message/late?${query}`, {
    msgtype: 'm.text',
    body: 'late',
  });
  const event = await eventually(async () => {
    const { timeline } = roomIn(await alice.sync(), roomId);
    const found = (timeline.events as Json[]).find((one) => one['content'].body === 'late');
    assert.ok(found);
    return found;
  });
  assert.deepEqual(event['msc4354_sticky'], { duration_ms: 60_000 });
});

test('who has been away, or joins, is sent what is sticky and not in the timeline', async () => {
  const roomId = await alice.createRoom({
    preset: 'public_chat',
    initial_state: [
      { type: 'm.room.history_visibility', content: { history_visibility: 'joined' } },
    ],
  });
  const { next_batch: since } = await alice.sync();
  const one = await stick(alice, roomId, 'one');
  const short = await stick(alice, roomId, 'short', 1);
  await alice.send(roomId, 'between');
  const two = await stick(alice, roomId, 'two');
  const later = await eventually(async () => {
    const answer = await alice.sync({ since, filter: shortTimeline });
    assert.deepEqual(stickyIn(answer, roomId), [one]);
    return answer;
  });
  assert.equal(roomIn(later, roomId)['timeline'].events[0].event_id, two);
  const whole = await alice.sync({ since });
  assert.deepEqual(stickyIn(whole, roomId), []);
  const bob = await TestClient.register(server.url, 'bob');
  await bob.join(roomId);
  const joined = await eventually(async () => {
    const answer = await bob.sync({ filter: shortTimeline });
    assert.ok(roomIn(answer, roomId));
    return answer;
  });
  assert.deepEqual(stickyIn(joined, roomId), [one, two]);
  const text = JSON.stringify(joined);
  assert.ok(!text.includes(short) && !text.includes('between'));
  const redaction = `${alice.room(roomId)}/redact/${encodeURIComponent(one)}/x${++sent}`;
  await alice.ok('PUT', redaction, {});
  await eventually(async () =>
    assert.deepEqual(stickyIn(await bob.sync({ filter: shortTimeline }), roomId), [two]),
  );
});

test('sliding sync sends sticky events a few at a time', async () => {
  const roomId = await alice.createRoom();
  const ids: string[] = [];
  for (const name of ['one', 'two', 'three']) {
    // oxlint-disable-next-line no-await-in-loop
    ids.push(await stick(alice, roomId, name));
  }
  const ask = async (wish: Json) => {
    const extensions = { [extension]: { enabled: true, ...wish } };
    const wanted = { [roomId]: { timeline_limit: 1, required_state: [] } };
    const body = { room_subscriptions: wanted, extensions };
    return (await alice.ok('POST', slidingPath, body))['extensions'][extension] as Json;
  };
  const idsIn = (part: Json) =>
    ((part['rooms'][roomId]?.events ?? []) as Json[]).map((event) => event['event_id']);
  const all = await eventually(async () => {
    const part = await ask({});
    assert.deepEqual(idsIn(part), ids.slice(0, 2));
    return part;
  });
  assert.deepEqual(idsIn(await ask({ since: all['next_batch'] })), []);
  const first = await ask({ limit: 1 });
  assert.deepEqual(idsIn(first), [ids[0]]);
  assert.deepEqual(idsIn(await ask({ limit: 1, since: first['next_batch'] })), [ids[1]]);
  const wrong = { extensions: { [extension]: { enabled: true, since: 'x' } } };
  assert.equal(await alice.refused('POST', slidingPath, wrong), '400 M_INVALID_PARAM');
  const { unstable_features: features } = await alice.ok('GET', '/_matrix/client/versions');
  assert.equal((features as Json)['org.matrix.msc4354'], true);
});
