import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { countersign, type BuiltEvent } from '../../src/matrix/event-builder.ts';
import { contentHash, eventIdOf } from '../../src/matrix/event-format.ts';
import type { JsonObject } from '../../src/matrix/pdu.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { RemoteRoom } from '../harness/remote-room.ts';
import { startRemoteServer, type RemoteServer } from '../harness/remote-server.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let remote: RemoteServer;
const rooms: RemoteRoom[] = [];
before(async () => {
  remote = await startRemoteServer();
  remote.answer = (request) => {
    for (const room of rooms) {
      const answer = room.answer(request);
      if (answer) return answer;
    }
    return null;
  };
  server = await startTestServer();
});
after(() => Promise.all([server.close(), remote.stop()]));

const v3 = '/_matrix/client/v3';
const encoded = encodeURIComponent;

/** A remote room that a user of the server has joined. */
async function joinedRoom(options: ConstructorParameters<typeof RemoteRoom>[1] = {}) {
  const room = new RemoteRoom(remote, options);
  rooms.push(room);
  const alice = await TestClient.register(server.url, 'alice');
  await alice.ok('POST', `${v3}/join/${encoded(room.roomId)}?via=${encoded(remote.name)}`, {});
  return { room, alice, path: `${v3}/rooms/${encoded(room.roomId)}` };
}

let transactions = 0;
async function send(room: RemoteRoom, events: readonly BuiltEvent[], txnId = `t${++transactions}`) {
  const { status, body } = await remote.request(
    server.url,
    'PUT',
    `/_matrix/federation/v1/send/${txnId}`,
    { origin: remote.name, origin_server_ts: Date.now(), pdus: events.map(room.pdu), edus: [] },
  );
  assert.equal(status, 200, JSON.stringify(body));
  return body['pdus'] as JsonObject;
}

const bodiesIn = (timeline: Json) =>
  (timeline['events'] as Json[]).flatMap((event) => event['content'].body ?? []) as string[];

async function newest(client: TestClient, path: string, limit = 20): Promise<string[]> {
  const { chunk } = await client.ok('GET', `${path}/messages?dir=b&limit=${limit}`);
  return bodiesIn({ events: chunk }).toReversed();
}

/** Waits until the newest messages are these: another process may have written them. */
const shows = (client: TestClient, path: string, bodies: readonly string[], limit = 20) =>
  eventually(async () => assert.deepEqual(await newest(client, path, limit), bodies));

test('an event of another server is shown, once, and woken for', async () => {
  const { room, alice } = await joinedRoom();
  const { next_batch: since } = await alice.ok('GET', `${v3}/sync?timeout=0`);
  const waiting = alice.ok('GET', `${v3}/sync?timeout=20000&since=${since as string}`);
  const event = room.message('hello');
  assert.deepEqual(await send(room, [event]), { [event.eventId]: {} });
  const { timeline } = (await waiting)['rooms'].join[room.roomId] as { timeline: Json };
  assert.deepEqual(bodiesIn(timeline), ['hello']);
  assert.equal((timeline['events'] as Json[])[0]!['event_id'], event.eventId);
  assert.deepEqual(await send(room, [event]), { [event.eventId]: {} });
  const again = room.message('again');
  await send(room, [again], 'same');
  await send(room, [again], 'same');
  await shows(alice, `${v3}/rooms/${encoded(room.roomId)}`, ['hello', 'again']);
});

test('what is missing between is fetched', async () => {
  const { room, alice, path } = await joinedRoom({ version: '12' });
  const between = [room.message('one'), room.message('two')];
  room.history = between;
  await send(room, [room.message('three')]);
  await shows(alice, path, ['one', 'two', 'three']);
  assert.equal(remote.asked.filter(({ uri }) => uri.includes('get_missing_events')).length, 1);
});

test('where too much is missing the room goes on with the state that the server tells', async () => {
  const { room, alice, path } = await joinedRoom();
  room.message('lost');
  room.set('m.room.topic', { topic: 'set meanwhile' });
  room.member(`@late:${remote.name}`, 'join');
  room.message('lost too');
  room.history = [room.message('the last before')];
  const event = room.message('after the gap');
  assert.deepEqual(await send(room, [event]), { [event.eventId]: {} });
  await shows(alice, path, ['lost', 'lost too', 'the last before', 'after the gap']);
  const topic = await alice.ok('GET', `${path}/state/m.room.topic/`);
  assert.equal(topic['topic'], 'set meanwhile');
  const { joined } = await alice.ok('GET', `${path}/joined_members`);
  assert.ok((joined as Json)[`@late:${remote.name}`]);
  await alice.ok('PUT', `${path}/send/m.room.message/1`, { body: 'ours' });
  await shows(alice, path, ['after the gap', 'ours'], 2);
});

const askedFor = (room: RemoteRoom) =>
  remote.asked
    .map(({ uri }) => uri.replace('/_matrix/federation/v1/', ''))
    .filter((uri) => /^(get_missing|event_auth|state)/.test(uri))
    .filter((uri) => uri.includes(encoded(room.roomId)));

test('a server that keeps back what its event follows does not tell the state there', async () => {
  const { room, alice, path } = await joinedRoom();
  // No event of this room version may have a fraction.
  const bad = room.message('bad');
  room.history = [{ ...bad, content: '{"body":"bad","n":1.5}' }];
  const event = room.message('follows it');
  assert.deepEqual(await send(room, [event]), { [event.eventId]: {} });
  assert.deepEqual(await newest(alice, path), []);
  assert.deepEqual(askedFor(room), [`get_missing_events/${encoded(room.roomId)}`]);
});

test('what stands on an event that is not to be had is no part of a state', async () => {
  const { room, alice, path } = await joinedRoom();
  const changing = `@changing:${remote.name}`;
  await send(room, [room.member(changing, 'join')]);
  const names = ['A', 'B', 'C'].map((displayname) =>
    room.send({
      type: 'm.room.member',
      sender: changing,
      stateKey: changing,
      content: { membership: 'join', displayname },
    }),
  );
  room.message('lost');
  room.withheld.add(names[1]!.eventId);
  room.history = [room.message('before')];
  await send(room, [room.message('after')]);
  assert.deepEqual(await newest(alice, path), []);
  const member = () => alice.ok('GET', `${path}/state/m.room.member/${encoded(changing)}`);
  assert.equal((await member())['displayname'], undefined);
  room.withheld.clear();
  room.history = [room.last!];
  const last = room.message('when it is known');
  await send(room, [last]);
  await shows(alice, path, ['after', 'when it is known'], 2);
  assert.equal((await member())['displayname'], 'C');
});

test('auth events that are missing are asked for; one that was rejected lets nothing in', async () => {
  const { room, alice, path } = await joinedRoom();
  const of = (type: string, key = '') => room.state.get(`${type} ${key}`)!;
  const user = `@other:${remote.name}`;
  await send(room, [room.member(user, 'join')]);
  const content = { users: { [user]: 100 } };
  const wish = { type: 'm.room.power_levels', sender: user, stateKey: '', content };
  const rejected = room.build(wish);
  assert.ok(((await send(room, [rejected]))[rejected.eventId] as Json)['error']);
  const names = [of('m.room.create'), of('m.room.join_rules'), of('m.room.member', user)];
  const join = { type: 'm.room.member', sender: user, stateKey: user };
  const outlier = room.build({ ...join, content: { membership: 'join' } }, [...names, rejected]);
  room.events.set(outlier.eventId, outlier);
  const message = (body: string) => ({ type: 'm.room.message', sender: user, content: { body } });
  const auth = [of('m.room.create'), of('m.room.power_levels'), outlier];
  const first = room.take(room.build(message('first'), auth));
  const second = room.take(room.build(message('second'), auth));
  const last = room.send(message('last'));
  const results = await send(room, [first, second, last]);
  assert.match(String((results[first.eventId] as Json)['error']), /rejected/);
  assert.match(String((results[second.eventId] as Json)['error']), /rejected/);
  assert.deepEqual(results[last.eventId], {});
  await shows(alice, path, ['last']);
  assert.deepEqual(askedFor(room), [
    `event_auth/${encoded(room.roomId)}/${encoded(first.eventId)}`,
  ]);
  await alice.refused('GET', `${path}/event/${encoded(outlier.eventId)}`);
});

test('before room version 11 a state key may have more than 255 bytes', async () => {
  const { room, alice, path } = await joinedRoom({ version: '10' });
  const stateKey = '💥'.repeat(70);
  const wish = { type: 'org.example.long', sender: room.creator, content: { body: 'long' } };
  const { pdu } = room.build(wish);
  pdu.state_key = stateKey;
  pdu.hashes = { sha256: contentHash(room.version, pdu) };
  const eventId = eventIdOf(room.version, pdu);
  const unsigned = { eventId, pdu: { ...pdu, signatures: {} } };
  const long = room.take(countersign(room.version, unsigned, remote.name, remote.key));
  assert.deepEqual(await send(room, [long]), { [long.eventId]: {} });
  const event = room.message('follows it');
  assert.deepEqual(await send(room, [event]), { [event.eventId]: {} });
  await shows(alice, path, ['long', 'follows it']);
  await alice.ok('GET', `${path}/state/org.example.long/${encoded(stateKey)}`);
});

test('an event that was redacted before it came is empty', async () => {
  const { room, alice, path } = await joinedRoom({ powerLevels: { redact: 0 } });
  const event = room.build({
    type: 'm.room.message',
    sender: room.creator,
    content: { body: '?' },
  });
  await alice.ok('PUT', `${path}/redact/${encoded(event.eventId)}/1`, { reason: 'unwanted' });
  room.take(event);
  assert.deepEqual(await send(room, [event]), { [event.eventId]: {} });
  const shown = await alice.ok('GET', `${path}/event/${encoded(event.eventId)}`);
  assert.deepEqual(shown['content'], {});
});

const leaveOf = (userId: string, sender: string) => ({
  type: 'm.room.member',
  sender,
  stateKey: userId,
  content: { membership: 'leave' },
});

test('what does not belong is refused', async () => {
  const { room, alice, path } = await joinedRoom();
  const stranger = room.build({
    type: 'm.room.message',
    sender: `@stranger:${remote.name}`,
    content: { body: 'from outside' },
  });
  const results = await send(room, [stranger]);
  assert.match(String((results[stranger.eventId] as Json)['error']), /member|join|room/i);
  const ours = room.build({
    type: 'm.room.message',
    sender: alice.userId,
    content: { body: 'forged' },
  });
  const forged = (await send(room, [ours]))[ours.eventId] as Json;
  assert.match(String(forged['error']), /signature/);
  room.set('m.room.server_acl', { allow: ['test.example'] });
  await send(room, [room.last!]);
  const late = room.build({
    type: 'm.room.message',
    sender: room.creator,
    content: { body: 'shut out' },
  });
  const denied = await send(room, [late]);
  assert.ok((denied[late.eventId] as Json)['error']);
  assert.deepEqual(await newest(alice, path), []);
  const unknown = new RemoteRoom(remote);
  assert.deepEqual(await send(unknown, [unknown.message('nowhere')]), {});
});

test('a member is removed by the other server', async () => {
  const { room, alice } = await joinedRoom();
  const { next_batch: since } = await alice.ok('GET', `${v3}/sync?timeout=0`);
  await send(room, [room.member(alice.userId, 'leave', room.creator)]);
  const { rooms: shown } = await alice.ok('GET', `${v3}/sync?timeout=0&since=${since as string}`);
  assert.ok(shown.leave[room.roomId]);
});

test('an invite is taken back by whoever has sent it, by nobody else', async () => {
  const room = new RemoteRoom(remote, { joinRule: 'invite' });
  const other = room.member(`@other:${remote.name}`, 'join').pdu.sender;
  const bob = await TestClient.register(server.url, 'bob');
  const isInvited = async () => {
    const { rooms } = await bob.ok('GET', `${v3}/sync?timeout=0`);
    return rooms?.invite?.[room.roomId] !== undefined;
  };
  const early = room.build(leaveOf(bob.userId, room.creator));
  const invite = room.member(bob.userId, 'invite', room.creator);
  const { status } = await remote.request(
    server.url,
    'PUT',
    `/_matrix/federation/v2/invite/${encoded(room.roomId)}/${encoded(invite.eventId)}`,
    { room_version: room.version.id, event: room.pdu(invite), invite_room_state: [] },
  );
  assert.equal(status, 200);
  await send(room, [early, room.build(leaveOf(bob.userId, other))]);
  assert.ok(await isInvited(), 'not by an event from before the invite, nor by another user');
  await send(room, [room.member(bob.userId, 'leave', room.creator)]);
  assert.ok(!(await isInvited()));
});

test('a transaction has its limits', async () => {
  const { room } = await joinedRoom();
  const pdus = Array.from({ length: 51 }, () => room.pdu(room.last!));
  const answer = await remote.request(server.url, 'PUT', '/_matrix/federation/v1/send/many', {
    origin: remote.name,
    origin_server_ts: 0,
    pdus,
  });
  assert.equal(answer.status, 400);
});
