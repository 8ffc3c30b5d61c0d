import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { BuiltEvent } from '../../src/matrix/event-builder.ts';
import type { JsonObject } from '../../src/matrix/pdu.ts';
import { TestClient, type Json } from '../harness/client.ts';
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
  assert.deepEqual(await newest(alice, `${v3}/rooms/${encoded(room.roomId)}`), ['hello', 'again']);
});

test('what is missing between is fetched', async () => {
  const { room, alice, path } = await joinedRoom({ version: '12' });
  const between = [room.message('one'), room.message('two')];
  room.history = between;
  await send(room, [room.message('three')]);
  assert.deepEqual(await newest(alice, path), ['one', 'two', 'three']);
  assert.equal(remote.asked.filter(({ uri }) => uri.includes('get_missing_events')).length, 1);
});

test('where too much is missing the room goes on with the state that the server tells', async () => {
  const { room, alice, path } = await joinedRoom();
  room.message('lost');
  room.set('m.room.topic', { topic: 'set meanwhile' });
  room.member(`@late:${remote.name}`, 'join');
  room.message('lost too');
  const event = room.message('after the gap');
  assert.deepEqual(await send(room, [event]), { [event.eventId]: {} });
  assert.deepEqual(await newest(alice, path), ['lost', 'lost too', 'after the gap']);
  const topic = await alice.ok('GET', `${path}/state/m.room.topic/`);
  assert.equal(topic['topic'], 'set meanwhile');
  const { joined } = await alice.ok('GET', `${path}/joined_members`);
  assert.ok((joined as Json)[`@late:${remote.name}`]);
  await alice.ok('PUT', `${path}/send/m.room.message/1`, { body: 'ours' });
  assert.deepEqual(await newest(alice, path, 2), ['after the gap', 'ours']);
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
