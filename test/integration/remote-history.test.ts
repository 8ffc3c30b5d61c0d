import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { BuiltEvent } from '../../src/matrix/event-builder.ts';
import type { Pdu } from '../../src/matrix/pdu.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { RemoteRoom } from '../harness/remote-room.ts';
import {
  startRemoteServer,
  type RemoteRequest,
  type RemoteServer,
} from '../harness/remote-server.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let remote: RemoteServer;
const rooms: RemoteRoom[] = [];

function answer(request: RemoteRequest) {
  if (request.uri.startsWith('/_matrix/federation/v1/send/')) {
    for (const pdu of request.content['pdus'] as unknown as Pdu[]) {
      for (const room of rooms) room.hear(pdu);
    }
    return [200, { pdus: {} }] as [number, object] as never;
  }
  return rooms.reduce<ReturnType<RemoteRoom['answer']>>(
    (found, room) => found ?? room.answer(request),
    null,
  );
}

before(async () => {
  remote = await startRemoteServer();
  remote.answer = answer;
  server = await startTestServer();
});
after(() => Promise.all([server.close(), remote.stop()]));

const v3 = '/_matrix/client/v3';
const encoded = encodeURIComponent;

function remoteRoom(visibility?: string): RemoteRoom {
  const room = new RemoteRoom(remote);
  rooms.push(room);
  if (visibility) room.set('m.room.history_visibility', { history_visibility: visibility });
  return room;
}

const pathOf = (room: RemoteRoom) => `${v3}/rooms/${encoded(room.roomId)}`;
const join = (client: TestClient, room: RemoteRoom) =>
  client.ok('POST', `${v3}/join/${encoded(room.roomId)}?via=${encoded(remote.name)}`, {});

/** The server under test is told of an event as it happens. */
async function tell(event: BuiltEvent, room: RemoteRoom): Promise<void> {
  const { status, body } = await remote.request(
    server.url,
    'PUT',
    `/_matrix/federation/v1/send/${encoded(event.eventId)}`,
    { origin: remote.name, origin_server_ts: Date.now(), pdus: [room.pdu(event)], edus: [] },
  );
  assert.deepEqual([status, body['pdus']], [200, { [event.eventId]: {} }]);
}

const sync = (client: TestClient, since?: string) =>
  client.ok('GET', `${v3}/sync?timeout=0${since ? `&since=${since}` : ''}`);

const texts = (events: Json[]) => events.flatMap(({ content }) => content.body ?? []) as string[];
const names = (count: number, name: string) =>
  Array.from({ length: count }, (_, i) => `${name} ${i}`);
const say = (room: RemoteRoom, bodies: readonly string[]) =>
  bodies.map((body) => room.message(body));

/** All that there is in one direction, in the order of the timeline, and the number of pages. */
async function read(
  client: TestClient,
  room: RemoteRoom,
  {
    direction = 'b',
    from = '',
    limit = 10,
  }: { direction?: string; from?: string; limit?: number } = {},
) {
  let events: Json[] = [];
  let [place, pages] = [from, 0];
  for (;;) {
    const at = place === '' ? '' : `&from=${place}`;
    const path = `${pathOf(room)}/messages?dir=${direction}&limit=${limit}${at}`;
    // oxlint-disable-next-line no-await-in-loop
    const { chunk, end } = await client.ok('GET', path);
    pages++;
    events = [...events, ...(chunk as Json[])];
    if (end === undefined || (direction === 'f' && (chunk as Json[]).length === 0)) break;
    place = end as string;
  }
  const ordered = direction === 'b' ? events.toReversed() : events;
  assert.equal(new Set(ordered.map((event) => event['event_id'])).size, ordered.length);
  return { bodies: texts(ordered), events: ordered, pages };
}

test('what was said between leaving and coming back is read in its place', async () => {
  const room = remoteRoom();
  const [first, between] = [names(15, 'first'), names(35, 'between')];
  say(room, first);
  const alice = await TestClient.register(server.url, 'alice');
  await join(alice, room);
  await tell(room.message('seen'), room);
  const { next_batch: since } = await eventually(async () => {
    const answered = await sync(alice);
    const { timeline } = answered['rooms'].join[room.roomId] as { timeline: Json };
    assert.deepEqual(texts(timeline['events']), ['seen']);
    return answered;
  });
  await alice.ok('POST', `${pathOf(room)}/leave`, {});
  await eventually(async () => assert.equal(room.last!.pdu.content['membership'], 'leave'));
  say(room, between);
  await join(alice, room);

  const { timeline } = (await sync(alice, since as string))['rooms'].join[room.roomId] as {
    timeline: Json;
  };
  assert.deepEqual([timeline['limited'], texts(timeline['events'])], [true, []]);
  const { bodies } = await read(alice, room, { from: timeline['prev_batch'] as string });
  assert.deepEqual(bodies, [...first, 'seen', ...between]);
  const { bodies: again, events } = await read(alice, room, { limit: 100 });
  assert.deepEqual(again, bodies);
  const middle = events.find((event) => event['content'].body === 'between 20')!;
  const context = await alice.ok('GET', `${pathOf(room)}/context/${encoded(middle['event_id'])}`);
  assert.deepEqual(
    texts([...(context['events_before'] as Json[]), ...(context['events_after'] as Json[])]).length,
    10,
  );
  assert.deepEqual((await read(alice, room, { direction: 'f' })).bodies, bodies);
});

test('a page ends where there is more to be fetched than for one page', async () => {
  const room = remoteRoom();
  room.backfillMax = 5;
  const bodies = names(120, 'long');
  say(room, bodies);
  const alice = await TestClient.register(server.url, 'alice');
  await join(alice, room);
  const page = await alice.ok('GET', `${pathOf(room)}/messages?dir=b&limit=100`);
  assert.ok(texts(page['chunk']).length <= 50);
  const found = await read(alice, room, { limit: 100 });
  assert.deepEqual(found.bodies, bodies);
});

test('events that were missed are no part of what a sync shows without a gap', async () => {
  const room = remoteRoom('joined');
  const alice = await TestClient.register(server.url, 'alice');
  await join(alice, room);
  const { event_id: own } = await alice.ok('PUT', `${pathOf(room)}/send/m.room.message/1`, {
    body: 'ours',
  });
  await eventually(async () => assert.equal(room.last!.eventId, own));
  const { next_batch: since } = await sync(alice);
  await alice.ok('PUT', `${pathOf(room)}/send/m.room.message/2`, { body: 'before' });
  await eventually(async () => assert.equal(room.last!.pdu.content['body'], 'before'));
  const missed = say(room, names(80, 'missed'));
  room.history = missed.slice(-10);
  await tell(room.message('newest'), room);

  const { timeline } = await eventually(async () => {
    const shown = (await sync(alice, since as string))['rooms'].join[room.roomId] as Json;
    assert.equal(texts(shown['timeline'].events).at(-1), 'newest');
    return shown as { timeline: Json };
  });
  assert.ok(timeline['limited']);
  const shown = texts(timeline['events']);
  assert.deepEqual(shown, [...names(80, 'missed').slice(81 - shown.length), 'newest']);
  const { bodies } = await read(alice, room, { from: timeline['prev_batch'] as string });
  const all = ['ours', 'before', ...names(80, 'missed')];
  assert.deepEqual(bodies, all.slice(0, all.length + 1 - shown.length));

  const bob = await TestClient.register(server.url, 'bob');
  await bob.ok('POST', `${v3}/join/${encoded(room.roomId)}`, {});
  assert.deepEqual((await read(bob, room)).bodies, [], 'who was not there does not see it');
});

test('who was invited reads from there on, where that is what the room wants', async () => {
  const room = remoteRoom('invited');
  say(room, names(3, 'early'));
  const alice = await TestClient.register(server.url, 'alice');
  const bob = await TestClient.register(server.url, 'bob');
  room.member(alice.userId, 'invite', room.creator);
  say(room, names(3, 'later'));
  await join(alice, room);
  await bob.ok('POST', `${v3}/join/${encoded(room.roomId)}`, {});
  const { bodies, events } = await read(alice, room);
  assert.deepEqual(bodies, names(3, 'later'));
  const memberships = events.filter(({ state_key: key }) => key === alice.userId);
  assert.deepEqual(
    memberships.map(({ content }) => content.membership as string),
    ['invite', 'join'],
  );
  assert.deepEqual((await read(bob, room)).bodies, []);
});

test('history is read as far as it was open, whatever holds by now', async () => {
  const room = remoteRoom('joined');
  room.backfillMax = 4;
  say(room, names(6, 'closed'));
  room.set('m.room.history_visibility', { history_visibility: 'shared' });
  say(room, names(6, 'open'));
  const alice = await TestClient.register(server.url, 'alice');
  await join(alice, room);
  assert.deepEqual((await read(alice, room)).bodies, names(6, 'open'));
});

test('an event is found by its time, and what is around it', async () => {
  const room = remoteRoom();
  room.backfillMax = 5;
  const start = 1_600_000_000_000;
  const bodies = names(80, 'dated');
  const events = bodies.map((body, i) => room.message(body, start + i * 1000));
  const alice = await TestClient.register(server.url, 'alice');
  await join(alice, room);
  const at = (ts: number, dir: string) =>
    alice.ok(
      'GET',
      `/_matrix/client/v1/rooms/${encoded(room.roomId)}/timestamp_to_event?ts=${ts}&dir=${dir}`,
    );
  const wanted = events[20]!.eventId;
  assert.deepEqual(await at(start + 20_500, 'b'), {
    event_id: wanted,
    origin_server_ts: start + 20_000,
  });
  assert.equal((await at(start + 19_500, 'f'))['event_id'], wanted);
  assert.equal((await at(start + 60_500, 'f'))['event_id'], events[61]!.eventId);

  const context = await alice.ok('GET', `${pathOf(room)}/context/${encoded(wanted)}?limit=6`);
  assert.deepEqual(texts(context['events_before']).toReversed(), bodies.slice(17, 20));
  const onwards = await read(alice, room, { direction: 'f', from: context['end'] as string });
  assert.deepEqual(onwards.bodies, bodies.slice(21));
  const back = await read(alice, room, { from: context['start'] as string });
  assert.deepEqual(back.bodies, bodies.slice(0, 17));
  assert.deepEqual((await read(alice, room)).bodies, bodies);
});

test('servers hear of the devices of who comes into a room with them', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const told = () =>
    remote.asked
      .flatMap(({ content }) => (content['edus'] ?? []) as Json[])
      .filter(({ edu_type: type, content }) => {
        return type === 'm.device_list_update' && content.user_id === alice.userId;
      });
  await join(alice, remoteRoom());
  await eventually(async () => assert.equal(told().length, 1));
  assert.equal(told()[0]!['content'].deleted, undefined);
  const second = remoteRoom();
  await join(alice, second);
  await alice.ok('PUT', `${pathOf(second)}/send/m.room.message/1`, { body: 'heard' });
  await eventually(async () => assert.equal(second.last!.pdu.content['body'], 'heard'));
  assert.equal(told().length, 1, 'the server knows already');
});
