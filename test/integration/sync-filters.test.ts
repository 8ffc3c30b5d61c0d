import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const registerAll = (...names: string[]) =>
  Promise.all(names.map((name) => TestClient.register(server.url, name)));

const filtered = (filter: Json) => ({ filter: JSON.stringify(filter) });
const joined = (sync: Json, roomId: string): Json => sync['rooms']?.join?.[roomId] ?? {};
const idsIn = (sync: Json, roomId: string, section: string): string[] =>
  ((joined(sync, roomId)[section]?.events ?? []) as Json[]).map((event) => event['event_id']);
const typesIn = (sync: Json, roomId: string, section: string): string[] =>
  ((joined(sync, roomId)[section]?.events ?? []) as Json[]).map((event) => event['type']);
const hasEvent = (roomId: string, eventId: string) => (sync: Json) =>
  idsIn(sync, roomId, 'timeline').includes(eventId);

async function sendMany(client: TestClient, roomId: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  // oxlint-disable-next-line no-await-in-loop
  for (let i = 0; i < count; i++) ids.push(await client.send(roomId, `message ${i}`));
  return ids;
}

test('what a filter keeps out of the timeline is in the state', async () => {
  const [alice] = await registerAll('alice');
  const roomId = await alice!.createRoom();
  const { next_batch: since } = await alice!.sync();
  await alice!.send(roomId, 'one');
  const first = await alice!.setState(roomId, 'm.room.topic', { topic: 'first' });
  const two = await alice!.send(roomId, 'two');
  const topic = await alice!.setState(roomId, 'm.room.topic', { topic: 'second' });
  const three = await alice!.send(roomId, 'three');
  await alice!.syncUntil({ since }, hasEvent(roomId, three));
  const messages = (limit: number) =>
    filtered({ room: { timeline: { types: ['m.room.message'], limit } } });

  const initial = await alice!.sync(messages(10));
  assert.equal(idsIn(initial, roomId, 'timeline').length, 3);
  assert.ok(idsIn(initial, roomId, 'state').includes(topic));
  assert.ok(!idsIn(initial, roomId, 'state').includes(first), 'an entry of the state comes once');
  const isLimited = await alice!.sync({ since, ...messages(2) });
  assert.deepEqual(idsIn(isLimited, roomId, 'timeline'), [two, three]);
  assert.equal(joined(isLimited, roomId)['timeline'].limited, true);
  assert.deepEqual(idsIn(isLimited, roomId, 'state'), [topic]);
});

test('each section may leave out rooms', async () => {
  const [alice] = await registerAll('alice');
  const roomId = await alice!.createRoom();
  const other = await alice!.createRoom();
  const { next_batch: since } = await alice!.sync();
  const data = `/_matrix/client/v3/user/${encodeURIComponent(alice!.userId)}/rooms`;
  for (const id of [roomId, other]) {
    // oxlint-disable no-await-in-loop
    const eventId = await alice!.setState(id, 'm.room.topic', { topic: 'x' });
    await alice!.ok('PUT', `${data}/${encodeURIComponent(id)}/account_data/org.example.x`, {});
    await alice!.ok('POST', `${alice!.room(id)}/receipt/m.read/${encodeURIComponent(eventId)}`, {});
    await alice!.syncUntil({ since }, (sync) => typesIn(sync, id, 'ephemeral').length > 0);
    // oxlint-enable no-await-in-loop
  }
  const hidden = { not_rooms: [roomId] };
  const quiet = await alice!.sync({
    since,
    ...filtered({ room: { ephemeral: hidden, account_data: { rooms: [other] } } }),
  });
  assert.deepEqual(typesIn(quiet, roomId, 'timeline'), ['m.room.topic']);
  assert.deepEqual(typesIn(quiet, roomId, 'ephemeral'), []);
  assert.deepEqual(typesIn(quiet, roomId, 'account_data'), []);
  assert.deepEqual(typesIn(quiet, other, 'ephemeral'), ['m.receipt']);
  assert.deepEqual(typesIn(quiet, other, 'account_data'), ['org.example.x']);

  const stateless = await alice!.sync(
    filtered({ room: { state: hidden, timeline: { limit: 1 } } }),
  );
  assert.deepEqual(typesIn(stateless, roomId, 'state'), []);
  assert.ok(typesIn(stateless, other, 'state').includes('m.room.create'));
  const noTimeline = await alice!.sync({ since, ...filtered({ room: { timeline: hidden } }) });
  assert.deepEqual(typesIn(noTimeline, roomId, 'timeline'), []);
  assert.deepEqual(typesIn(noTimeline, roomId, 'state'), ['m.room.topic']);
  assert.deepEqual(typesIn(noTimeline, other, 'timeline'), ['m.room.topic']);
});

test('presence of those whom the filter names', async () => {
  const [alice, bob, carol] = await registerAll('alice', 'bob', 'carol');
  const roomId = await alice!.createRoom({ preset: 'public_chat' });
  for (const user of [bob!, carol!]) {
    // oxlint-disable no-await-in-loop
    await user.join(roomId);
    const path = `/_matrix/client/v3/presence/${encodeURIComponent(user.userId)}/status`;
    await user.ok('PUT', path, { presence: 'online' });
    // oxlint-enable no-await-in-loop
  }
  const sendersOf = (sync: Json) =>
    ((sync['presence']?.events ?? []) as Json[]).map((event) => event['sender'] as string);
  const both = [bob!.userId, carol!.userId];
  await alice!.syncUntil({}, (sync) => both.every((id) => sendersOf(sync).includes(id)));
  const some = await alice!.sync(filtered({ presence: { senders: [bob!.userId] } }));
  assert.deepEqual(sendersOf(some), [bob!.userId]);
  const others = await alice!.sync(filtered({ presence: { not_senders: [bob!.userId] } }));
  assert.ok(sendersOf(others).includes(carol!.userId));
  assert.ok(!sendersOf(others).includes(bob!.userId));
});

test('lazy loading: whoever has come, gone or changed in a gap is told', async () => {
  const [alice, bob, carol] = await registerAll('alice', 'bob', 'carol');
  const roomId = await alice!.createRoom({ preset: 'public_chat' });
  await bob!.join(roomId);
  const hello = await bob!.send(roomId, 'hello');
  const filter = filtered({
    room: { timeline: { limit: 2 }, state: { lazy_load_members: true } },
  });
  const { next_batch: since } = await alice!.syncUntil(filter, hasEvent(roomId, hello));
  const name = `/_matrix/client/v3/profile/${encodeURIComponent(bob!.userId)}/displayname`;
  await bob!.ok('PUT', name, { displayname: 'Robert' });
  await carol!.join(roomId);
  const sent = await sendMany(bob!, roomId, 3);
  const next = await alice!.syncUntil({ since, ...filter }, hasEvent(roomId, sent.at(-1)!));
  assert.equal(joined(next, roomId)['timeline'].limited, true);
  const members = (joined(next, roomId)['state'].events as Json[]).map(
    (event) => `${event['state_key']} ${event['content'].displayname}`,
  );
  const carolsName = carol!.userId.slice(1).split(':')[0];
  assert.deepEqual(
    members.toSorted(),
    [`${bob!.userId} Robert`, `${carol!.userId} ${carolsName}`].toSorted(),
  );
});

test('who is ignored takes no place in the timeline', async () => {
  const [alice, bob] = await registerAll('alice', 'bob');
  const roomId = await alice!.createRoom({ preset: 'public_chat' });
  await bob!.join(roomId);
  const sent = await sendMany(alice!, roomId, 3);
  await sendMany(bob!, roomId, 6);
  const topic = await alice!.setState(roomId, 'm.room.topic', { topic: 'of all' });
  const [carol] = await registerAll('carol');
  const list = `/_matrix/client/v3/user/${encodeURIComponent(carol!.userId)}/account_data/m.ignored_user_list`;
  await carol!.ok('PUT', list, { ignored_users: { [bob!.userId]: {} } });
  await carol!.join(roomId);
  const filter = filtered({ room: { timeline: { limit: 5 } } });
  const first = await carol!.syncUntil(filter, hasEvent(roomId, topic));
  const events = idsIn(first, roomId, 'timeline');
  assert.deepEqual(events.slice(0, 4), [...sent, topic]);
  assert.equal(events.length, 5, 'the fifth is the own join');
  assert.equal(joined(first, roomId)['timeline'].limited, true);
});

test('a sync waits on when the filter leaves nothing of what has happened', async () => {
  const [alice] = await registerAll('alice');
  const roomId = await alice!.createRoom();
  const room = { timeline: { types: ['m.room.topic'] }, state: { types: [] } };
  const { next_batch: since } = await alice!.sync();
  const waiting = alice!.sync({
    since,
    timeout: '60000',
    ...filtered({ room, presence: { types: [] } }),
  });
  await sendMany(alice!, roomId, 2);
  const topic = await alice!.setState(roomId, 'm.room.topic', { topic: 'x' });
  assert.deepEqual(idsIn(await waiting, roomId, 'timeline'), [topic]);
});

test('of very many rooms those are left out of which nothing is left to tell', async () => {
  const [alice] = await registerAll('alice');
  const rooms = await Promise.all(Array.from({ length: 104 }, () => alice!.createRoom()));
  const { next_batch: since } = await alice!.sync();
  const last = rooms.at(-1)!;
  const topic = await alice!.setState(last, 'm.room.topic', { topic: 'x' });
  const sent = await Promise.all(rooms.map((roomId, i) => alice!.send(roomId, 'x', `many${i}`)));
  const room = { timeline: { types: ['m.room.topic'] }, state: { types: [] } };
  await alice!.syncUntil({ since }, (sync) =>
    rooms.every((roomId, i) => hasEvent(roomId, sent[i]!)(sync)),
  );
  const sync = await alice!.sync({ since, ...filtered({ room }) });
  assert.deepEqual(Object.keys(sync['rooms'].join as Json), [last]);
  assert.deepEqual(idsIn(sync, last, 'timeline'), [topic]);
});

test('events are given as servers send them where that is asked for', async () => {
  const [alice] = await registerAll('alice');
  const roomId = await alice!.createRoom();
  const eventId = await alice!.send(roomId, 'a message');
  await alice!.syncUntil({}, hasEvent(roomId, eventId));
  const query = new URLSearchParams(filtered({ event_format: 'federation' }));
  // Such answers are not as the specification describes events.
  const response = await fetch(`${server.url}/_matrix/client/v3/sync?${query.toString()}`, {
    headers: { Authorization: `Bearer ${alice!.token}` },
  });
  const { timeline } = joined((await response.json()) as Json, roomId);
  const event = (timeline.events as Json[]).at(-1)!;
  assert.equal(event['content'].body, 'a message');
  assert.equal(event['room_id'], roomId);
  assert.equal(typeof event['hashes'].sha256, 'string');
  assert.ok(event['signatures']['test.example']);
  assert.ok(Array.isArray(event['prev_events']) && Array.isArray(event['auth_events']));
  assert.equal(event['unsigned'].membership, 'join');
  assert.equal(event['event_id'], undefined, 'its hash is its id');
});

test('full_state is answered at once', async () => {
  const [alice] = await registerAll('alice');
  const { next_batch: since } = await alice!.sync();
  const query = { since, full_state: 'true', timeout: '600000' };
  assert.deepEqual((await alice!.sync(query))['rooms'].join, {});
});

test('a room that loses its name is named after its heroes', async () => {
  const [alice, bob] = await registerAll('alice', 'bob');
  const roomId = await alice!.createRoom({ name: 'A name', preset: 'public_chat' });
  await bob!.join(roomId);
  const { next_batch: since } = await alice!.syncUntil(
    {},
    (sync) => joined(sync, roomId)['summary']?.['m.joined_member_count'] === 2,
  );
  const eventId = await alice!.setState(roomId, 'm.room.name', {});
  const next = await alice!.syncUntil({ since }, hasEvent(roomId, eventId));
  assert.deepEqual(joined(next, roomId)['summary']['m.heroes'], [bob!.userId]);
});
