import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const v3 = '/_matrix/client/v3';
const registerAll = (...names: string[]) =>
  Promise.all(names.map((name) => TestClient.register(server.url, name)));

const idsOf = (events: Json[]) => events.map((event) => event['event_id'] as string);
const keysOf = (events: Json[]) =>
  events.map((event) => `${event['type']}|${event['state_key']}`).toSorted();
const joined = (sync: Json, roomId: string): Json => sync['rooms']?.join?.[roomId] ?? {};
/** The rooms a sync tells of, in any section. */
const roomsIn = (sync: Json) =>
  Object.values((sync['rooms'] ?? {}) as Json).flatMap((section) => Object.keys(section as Json));
const filtered = (filter: Json) => ({ filter: JSON.stringify(filter) });

const hasEvent = (roomId: string, eventId: string) => (sync: Json) =>
  idsOf((joined(sync, roomId)['timeline']?.events ?? []) as Json[]).includes(eventId);
const isIn = (section: string, roomId: string) => (sync: Json) =>
  sync['rooms']?.[section]?.[roomId] !== undefined;

/** Sends so many messages, one after the other; gives their ids. */
async function sendMany(client: TestClient, roomId: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    // oxlint-disable-next-line no-await-in-loop
    ids.push(await client.send(roomId, `message ${i}`));
  }
  return ids;
}

/** Pages back from a token until the event before which nothing is wanted. */
async function idsBefore(client: TestClient, roomId: string, from: string): Promise<string[]> {
  const path = `${client.room(roomId)}/messages?dir=b&limit=100&from=${from}`;
  return idsOf((await client.ok('GET', path))['chunk'] as Json[]);
}

test('an incremental sync has what is new and nothing else', async () => {
  const [alice] = await registerAll('alice');
  const roomId = await alice!.createRoom();
  const first = await alice!.sync();
  const state = keysOf([
    ...(joined(first, roomId)['state'].events as Json[]),
    ...(joined(first, roomId)['timeline'].events as Json[]),
  ]);
  assert.ok(state.includes('m.room.create|') && state.includes(`m.room.member|${alice!.userId}`));
  const none = await alice!.sync({ since: first['next_batch'] });
  assert.deepEqual(roomsIn(none), []);
  const sent = await sendMany(alice!, roomId, 2);
  const query = { since: none['next_batch'] as string };
  const next = await alice!.syncUntil(query, hasEvent(roomId, sent[1]!));
  const { timeline, state: changed } = joined(next, roomId);
  assert.deepEqual(idsOf(timeline.events), sent);
  assert.equal(timeline.limited ?? false, false);
  assert.deepEqual(changed?.events ?? [], []);
  assert.equal((timeline.events as Json[])[0]!['room_id'], undefined);
  const again = await alice!.sync({ since: first['next_batch'] });
  assert.deepEqual(idsOf(joined(again, roomId)['timeline'].events), sent, 'an older token is good');
});

test('a sync waits for news, and for no longer than it was told', async () => {
  const [alice] = await registerAll('alice');
  const roomId = await alice!.createRoom();
  const { next_batch: since } = await alice!.sync();
  const empty = await alice!.sync({ since, timeout: '1' });
  assert.deepEqual(roomsIn(empty), []);
  const query = { since: empty['next_batch'] as string, timeout: '30000' };
  const waiting = alice!.syncUntil(query, isIn('join', roomId));
  const eventId = await alice!.send(roomId, 'news');
  assert.deepEqual(idsOf(joined(await waiting, roomId)['timeline'].events), [eventId]);
});

test('a presence that is told a moment later is not missed by a sync that ends before', async () => {
  const [alice, bob] = await Promise.all([
    TestClient.register(server.url),
    TestClient.register(server.url),
  ]);
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const textIn = (sync: Json) =>
    (sync['presence']?.events as Json[] | undefined)?.find(
      ({ sender }) => sender === alice.userId,
    )?.['content'].status_msg as string | undefined;
  const path = `${v3}/presence/${encodeURIComponent(alice.userId)}/status`;
  let { next_batch: since } = await bob.sync({ set_presence: 'offline' });
  for (const text of ['first', 'second', 'third']) {
    // oxlint-disable no-await-in-loop -- a client syncs again and again
    await alice.ok('PUT', path, { presence: 'online', status_msg: text });
    let seen: string | undefined;
    // First one that does not wait for long: changes of a second are told together.
    for (const timeout of ['20', '300000']) {
      while (seen !== text) {
        const query = { since: since as string, timeout, set_presence: 'offline' };
        const sync = await bob.sync(query);
        since = sync['next_batch'];
        seen = textIn(sync) ?? seen;
        if (timeout === '20') break;
      }
    }
    // oxlint-enable no-await-in-loop
  }
});

test('a presence wakes those who wait, also that of somebody who does not sync', async () => {
  const [alice, bob] = (await registerAll('alice', 'bob')) as [TestClient, TestClient];
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const { next_batch: since } = await bob.sync();
  const statusIn = (sync: Json) =>
    (sync['presence']?.events as Json[] | undefined)?.find(
      ({ sender }) => sender === alice.userId,
    )?.['content'].status_msg;
  // Longer than a test may take: only being woken ends it.
  const query = { since: since as string, timeout: '300000', set_presence: 'offline' };
  const waiting = bob.syncUntil(query, (sync) => statusIn(sync) === 'here');
  const path = `${v3}/presence/${encodeURIComponent(alice.userId)}/status`;
  await alice.ok('PUT', path, { presence: 'online', status_msg: 'here' });
  await waiting;
});

test('a gap: the timeline is limited, prev_batch leads to what is missing', async () => {
  const [alice, bob] = await registerAll('alice', 'bob');
  const roomId = await alice!.createRoom({ preset: 'public_chat' });
  const { next_batch: since } = await alice!.sync();
  await bob!.join(roomId);
  const sent = await sendMany(alice!, roomId, 6);
  const query = { since, ...filtered({ room: { timeline: { limit: 2 } } }) };
  const sync = await alice!.syncUntil(query, hasEvent(roomId, sent.at(-1)!));
  const room = joined(sync, roomId);
  assert.equal(room['timeline'].limited, true);
  assert.deepEqual(idsOf(room['timeline'].events), sent.slice(-2));
  assert.deepEqual(keysOf(room['state'].events), [`m.room.member|${bob!.userId}`]);
  const missing = await idsBefore(alice!, roomId, room['timeline'].prev_batch);
  assert.deepEqual(missing.slice(0, 4), sent.slice(0, 4).toReversed());
});

test('state is that before the timeline; with state_after that behind it', async () => {
  const [alice] = await registerAll('alice');
  const roomId = await alice!.createRoom({ name: 'One' });
  const { next_batch: since } = await alice!.sync();
  await alice!.setState(roomId, 'm.room.topic', { topic: 'A' });
  await sendMany(alice!, roomId, 3);
  const last = await alice!.setState(roomId, 'm.room.name', { name: 'Two' });
  const query = { since, ...filtered({ room: { timeline: { limit: 2 } } }) };
  const before = joined(await alice!.syncUntil(query, hasEvent(roomId, last)), roomId);
  assert.deepEqual(keysOf(before['state'].events), ['m.room.topic|']);
  assert.equal(before['state_after'], undefined);
  const behind = joined(await alice!.sync({ ...query, use_state_after: 'true' }), roomId);
  assert.equal(behind['state'], undefined);
  assert.deepEqual(keysOf(behind['state_after'].events), ['m.room.name|', 'm.room.topic|']);
  const proposed = { ...query, 'org.matrix.msc4222.use_state_after': 'true' };
  const old = joined(await alice!.sync(proposed), roomId);
  const oldState = old['org.matrix.msc4222.state_after'] ?? old['state_after'];
  assert.deepEqual(keysOf(oldState.events), ['m.room.name|', 'm.room.topic|']);
});

test('full_state brings all the state, also of rooms without news', async () => {
  const [alice] = await registerAll('alice');
  const [quiet, busy] = [await alice!.createRoom(), await alice!.createRoom()];
  const { next_batch: since } = await alice!.sync();
  const sent = await alice!.send(busy, 'x');
  const plain = await alice!.syncUntil({ since }, hasEvent(busy, sent));
  assert.deepEqual(Object.keys(plain['rooms'].join), [busy]);
  const full = await alice!.sync({ since, full_state: 'true' });
  for (const roomId of [quiet, busy]) {
    const keys = keysOf(joined(full, roomId)['state'].events);
    assert.ok(keys.includes('m.room.create|') && keys.includes('m.room.power_levels|'), roomId);
  }
});

test('filters: rooms, types, senders, fields, limits', async () => {
  const [alice, bob] = await registerAll('alice', 'bob');
  const roomId = await alice!.createRoom({ preset: 'public_chat' });
  const other = await alice!.createRoom();
  await bob!.join(roomId);
  const { next_batch: since } = await alice!.sync();
  const mine = await alice!.send(roomId, 'mine');
  const theirs = await bob!.send(roomId, 'theirs');
  await alice!.setState(roomId, 'm.room.topic', { topic: 'x' });
  const last = await alice!.send(other, 'elsewhere');
  await alice!.syncUntil({ since }, hasEvent(other, last));
  const timelineWith = async (room: Json) => {
    const sync = await alice!.sync({ since, ...filtered({ room }) });
    return Object.entries((sync['rooms']?.join ?? {}) as Json).flatMap(([, { timeline }]) =>
      idsOf((timeline?.events ?? []) as Json[]),
    );
  };
  const types = ['m.room.message'];
  assert.deepEqual(await timelineWith({ rooms: [roomId], timeline: { types } }), [mine, theirs]);
  assert.deepEqual(
    await timelineWith({ not_rooms: [other], timeline: { types, senders: [bob!.userId] } }),
    [theirs],
  );
  assert.deepEqual(
    await timelineWith({ rooms: [roomId], timeline: { types, not_senders: [bob!.userId] } }),
    [mine],
  );
  assert.deepEqual(await timelineWith({ rooms: [] }), []);
  const fields = { event_fields: ['content.body', 'type'], room: { rooms: [roomId] } };
  // Such answers are not as the specification describes events.
  const query = new URLSearchParams({ since, ...filtered(fields) });
  const response = await fetch(`${server.url}${v3}/sync?${query.toString()}`, {
    headers: { Authorization: `Bearer ${alice!.token}` },
  });
  const [event] = joined((await response.json()) as Json, roomId)['timeline'].events as Json[];
  assert.deepEqual(event, { type: 'm.room.message', content: { body: 'mine' } });
  const none = await alice!.sync(filtered({ room: { timeline: { limit: 0 }, rooms: [roomId] } }));
  assert.deepEqual(joined(none, roomId)['timeline'].events, []);
});

test('lazy loading: members of those who speak, each sent once', async () => {
  const [alice, bob, carol] = await registerAll('alice', 'bob', 'carol');
  const roomId = await alice!.createRoom({ preset: 'public_chat' });
  await bob!.join(roomId);
  await carol!.join(roomId);
  const sent = await sendMany(bob!, roomId, 3);
  const filter = filtered({
    room: { timeline: { limit: 2 }, state: { lazy_load_members: true } },
  });
  const membersIn = (sync: Json) =>
    ((joined(sync, roomId)['state']?.events ?? []) as Json[])
      .filter((event) => event['type'] === 'm.room.member')
      .map((event) => event['state_key'] as string)
      .toSorted();
  const first = await alice!.syncUntil(filter, hasEvent(roomId, sent.at(-1)!));
  const heroes = joined(first, roomId)['summary'] as Json;
  assert.equal(heroes['m.joined_member_count'], 3);
  assert.deepEqual((heroes['m.heroes'] as string[]).toSorted(), [bob!.userId, carol!.userId]);
  assert.ok(membersIn(first).includes(bob!.userId));
  assert.ok(membersIn(first).includes(alice!.userId));
  const { next_batch: since } = first;
  const again = await bob!.send(roomId, 'again');
  const second = await alice!.syncUntil({ since, ...filter }, hasEvent(roomId, again));
  assert.deepEqual(membersIn(second), [], 'what was sent is not sent again');
  const redundant = filtered({
    room: { state: { lazy_load_members: true, include_redundant_members: true } },
  });
  const third = await alice!.sync({ since, ...redundant });
  assert.deepEqual(membersIn(third), [bob!.userId]);
});

test('invited: stripped state; joined: the room, with a gap before it; left: until the leave', async () => {
  const [alice, bob] = await registerAll('alice', 'bob');
  const roomId = await alice!.createRoom({ name: 'Party', preset: 'private_chat' });
  const start = await bob!.sync();
  await alice!.ok('POST', `${alice!.room(roomId)}/invite`, { user_id: bob!.userId });
  const invited = await bob!.syncUntil({ since: start['next_batch'] }, isIn('invite', roomId));
  const stripped = invited['rooms'].invite[roomId]['invite_state'].events as Json[];
  assert.ok(keysOf(stripped).includes('m.room.name|'));
  assert.ok(keysOf(stripped).includes(`m.room.member|${bob!.userId}`));
  assert.equal(stripped[0]!['event_id'] ?? null, null, 'it is stripped');
  await alice!.send(roomId, 'before');
  await bob!.join(roomId);
  const came = await bob!.syncUntil({ since: invited['next_batch'] }, isIn('join', roomId));
  assert.ok(joined(came, roomId)['timeline'].events.length > 0);
  assert.equal(came['rooms'].invite?.[roomId], undefined);
  const seen = await alice!.send(roomId, 'seen');
  await bob!.ok('POST', `${bob!.room(roomId)}/leave`, {});
  const unseen = await alice!.send(roomId, 'unseen');
  const left = await bob!.syncUntil({ since: came['next_batch'] }, isIn('leave', roomId));
  assert.equal(left['rooms'].join?.[roomId], undefined);
  const ids = idsOf(left['rooms'].leave[roomId].timeline.events);
  assert.equal(ids[0], seen);
  assert.equal(ids.length, 2);
  assert.ok(!ids.includes(unseen));
  const later = await bob!.sync({ since: left['next_batch'] });
  assert.deepEqual(roomsIn(later), [], 'it is told once');
  const fresh = await bob!.sync();
  assert.equal(fresh['rooms']?.leave?.[roomId], undefined);
  const all = await bob!.sync(filtered({ room: { include_leave: true } }));
  const whole = all['rooms'].leave[roomId];
  assert.ok(idsOf(whole.timeline.events).includes(seen));
  assert.ok(!idsOf(whole.timeline.events).includes(unseen));
});

test('an invite that is turned down, a knock, a kick, a ban', async () => {
  const [alice, bob] = await registerAll('alice', 'bob');
  const invite = await alice!.createRoom({ invite: [bob!.userId] });
  const first = await bob!.syncUntil({}, isIn('invite', invite));
  await bob!.ok('POST', `${bob!.room(invite)}/leave`, {});
  const turnedDown = await bob!.syncUntil({ since: first['next_batch'] }, isIn('leave', invite));
  assert.equal(turnedDown['rooms'].invite?.[invite], undefined);
  const door = await alice!.createRoom({
    name: 'Door',
    initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }],
  });
  await bob!.ok('POST', `${v3}/knock/${encodeURIComponent(door)}`, { reason: 'please' });
  const knocked = await bob!.syncUntil({ since: turnedDown['next_batch'] }, isIn('knock', door));
  const state = knocked['rooms'].knock[door]['knock_state'].events as Json[];
  assert.ok(keysOf(state).includes('m.room.name|'));
  const room = alice!.room(door);
  await alice!.ok('POST', `${room}/invite`, { user_id: bob!.userId });
  await bob!.join(door);
  const inside = await bob!.syncUntil({ since: knocked['next_batch'] }, isIn('join', door));
  await alice!.ok('POST', `${room}/kick`, { user_id: bob!.userId, reason: 'out' });
  const kicked = await bob!.syncUntil({ since: inside['next_batch'] }, isIn('leave', door));
  const last = (kicked['rooms'].leave[door].timeline.events as Json[]).at(-1)!;
  assert.equal(last['content'].reason, 'out');
  await alice!.ok('POST', `${room}/ban`, { user_id: bob!.userId });
  const banned = await bob!.syncUntil({ since: kicked['next_batch'] }, isIn('leave', door));
  const ban = (banned['rooms'].leave[door].timeline.events as Json[]).at(-1)!;
  assert.equal(ban['content'].membership, 'ban');
  await bob!.ok('POST', `${bob!.room(door)}/forget`, {});
  const withLeft = filtered({ room: { include_leave: true } });
  await bob!.syncUntil(withLeft, (sync) => !isIn('leave', door)(sync));
});

test('history visibility: who joins sees as far back as the room allows', async () => {
  const [alice, bob] = await registerAll('alice', 'bob');
  const roomWith = (visibility: string) =>
    alice!.createRoom({
      preset: 'public_chat',
      initial_state: [
        { type: 'm.room.history_visibility', content: { history_visibility: visibility } },
      ],
    });
  const [shared, private_] = [await roomWith('shared'), await roomWith('joined')];
  const early = await Promise.all([shared, private_].map((roomId) => alice!.send(roomId, 'early')));
  await bob!.join(shared);
  await bob!.join(private_);
  const late = await alice!.send(private_, 'late');
  const sync = await bob!.syncUntil({}, hasEvent(private_, late));
  assert.ok(idsOf(joined(sync, shared)['timeline'].events).includes(early[0]!));
  const ids = idsOf(joined(sync, private_)['timeline'].events);
  assert.ok(ids.includes(late) && !ids.includes(early[1]!));
});

test('unread counts by thread', async () => {
  const [alice, bob] = await registerAll('alice', 'bob');
  const roomId = await alice!.createRoom({ preset: 'private_chat', invite: [bob!.userId] });
  await bob!.join(roomId);
  const root = await alice!.send(roomId, 'root');
  const reply = async (body: string) => {
    const path = `${alice!.room(roomId)}/send/m.room.message/${body}`;
    const relation = { rel_type: 'm.thread', event_id: root };
    const content = { msgtype: 'm.text', body, 'm.relates_to': relation };
    return (await alice!.ok('PUT', path, content))['event_id'] as string;
  };
  await reply('first');
  const second = await reply('second');
  await bob!.syncUntil({}, hasEvent(roomId, second));
  const count = async (threads: boolean) =>
    joined(
      await bob!.sync(filtered({ room: { timeline: { unread_thread_notifications: threads } } })),
      roomId,
    );
  const whole = await count(false);
  assert.equal(whole['unread_notifications'].notification_count, 3);
  assert.equal(whole['unread_thread_notifications'], undefined);
  const split = await count(true);
  assert.equal(split['unread_notifications'].notification_count, 1);
  assert.equal(split['unread_thread_notifications'][root].notification_count, 2);
  const receipt = `${bob!.room(roomId)}/receipt/m.read/${encodeURIComponent(second)}`;
  await bob!.ok('POST', receipt, { thread_id: root });
  const hasRead = (sync: Json) =>
    joined(sync, roomId)['unread_thread_notifications']?.[root] === undefined;
  const byThread = filtered({ room: { timeline: { unread_thread_notifications: true } } });
  await bob!.syncUntil(byThread, hasRead);
  const read = await count(true);
  assert.equal(read['unread_notifications'].notification_count, 1);
});

test('a sent event carries its transaction id, for the device that has sent it', async () => {
  const [alice] = await registerAll('alice');
  const roomId = await alice!.createRoom();
  const { next_batch: since } = await alice!.sync();
  const sent = await alice!.send(roomId, 'x', 'my-txn');
  const mine = await alice!.syncUntil({ since }, hasEvent(roomId, sent));
  const [event] = joined(mine, roomId)['timeline'].events as Json[];
  assert.equal(event!['unsigned'].transaction_id, 'my-txn');
  const other = new TestClient(server.url);
  const login = await other.ok('POST', `${v3}/login`, {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: alice!.userId },
    password: `password of ${alice!.userId.slice(1).split(':')[0]}`,
  });
  other.token = login['access_token'] as string;
  const theirs = await other.syncUntil({ since }, hasEvent(roomId, sent));
  const [same] = joined(theirs, roomId)['timeline'].events as Json[];
  assert.equal(same!['unsigned'].transaction_id, undefined);
});

test('tokens that are none are refused', async () => {
  const [alice] = await registerAll('alice');
  assert.equal(await alice!.refused('GET', `${v3}/sync?since=nonsense`), '400 M_INVALID_PARAM');
  assert.equal(await alice!.refused('GET', `${v3}/sync?filter={`), '400 M_NOT_JSON');
  assert.match(await alice!.refused('GET', `${v3}/sync?timeout=soon`), /^400 /);
  assert.match(await alice!.refused('GET', `${v3}/sync?set_presence=away`), /^400 /);
});

test('/events and /initialSync, which old clients use', async () => {
  const [alice] = await registerAll('alice');
  const roomId = await alice!.createRoom({ name: 'Old' });
  const before = await alice!.send(roomId, 'before');
  const initial = await alice!.ok('GET', `${v3}/initialSync?limit=5`);
  const room = (initial['rooms'] as Json[]).find((one) => one['room_id'] === roomId)!;
  assert.equal(room['membership'], 'join');
  assert.ok(idsOf(room['messages'].chunk).includes(before));
  assert.ok(keysOf(room['state']).includes('m.room.name|'));
  const one = await alice!.ok('GET', `${alice!.room(roomId)}/initialSync`);
  assert.ok(idsOf(one['messages'].chunk).includes(before));
  const next = await alice!.send(roomId, 'next');
  const from = initial['end'] as string;
  const events = await alice!.ok('GET', `${v3}/events?from=${from}&timeout=1000`);
  assert.ok(idsOf(events['chunk']).includes(next));
  assert.ok(!idsOf(events['chunk']).includes(before));
  const single = await alice!.ok('GET', `${v3}/events/${encodeURIComponent(next)}`);
  assert.equal(single['event_id'], next);
});
