import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { checkResponse } from '../../test/spec/responses.ts';
import { createHttpMetrics } from '../http/http-metrics.ts';
import { createRateLimiter } from '../http/rate-limiter.ts';
import { createHttpServer } from '../http/server.ts';
import { loopback } from '../http/test-server.ts';
import { MatrixError } from '../kernel/errors.ts';
import { createLog } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import type { JsonObject, Pdu } from '../matrix/pdu.ts';
import { checkReceived, type FindServerKey } from '../matrix/received-pdu.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import { users } from '../matrix/state-resolution/test-rooms.ts';
import {
  openTestRooms,
  otherKey,
  signingKey,
  TwinRoom,
  type TestRooms,
} from '../rooms/writer/test-twin-room.ts';
import { readingOf } from './test-reading.ts';

let rooms: TestRooms;
let url = '';
let close: () => Promise<void>;
before(async () => {
  rooms = await openTestRooms();
  // Who asks is who says so: signatures are the business of the dispatcher.
  const http = createHttpServer(
    [{ ...loopback, resources: ['federation'] }],
    readingOf(rooms).endpoints,
    {
      authenticate: () => assert.fail('no user asks'),
      authenticateServer: async ({ authorization }) => {
        if (authorization) return authorization;
        throw new MatrixError('M_UNAUTHORIZED', 'Who are you?');
      },
      limiter: createRateLimiter({}, { now: () => 0 }),
      log: createLog('error'),
      metrics: createHttpMetrics(new Metrics()),
    },
  );
  [url = ''] = await http.listen();
  close = async () => {
    await http.close(0);
    await rooms.close();
  };
});
after(() => close());

const base = '/_matrix/federation/v1';
const [alice = '', bob = '', carol = '', dan = ''] = users;
const message = (body: string) => ({ type: 'm.room.message', content: { body } });
const membership = (stateKey: string, what: string) => ({
  type: 'm.room.member',
  stateKey,
  content: { membership: what },
});

async function ask(origin: string, method: string, path: string, body?: JsonObject) {
  const response = await fetch(url + base + path, {
    method,
    headers: { Authorization: origin },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const answer = (await response.json()) as JsonObject;
  checkResponse(method, base + path, response.status, answer);
  return { status: response.status, body: answer };
}

async function ok(path: string, body?: JsonObject, origin = 'y'): Promise<JsonObject> {
  const answer = await ask(origin, body ? 'POST' : 'GET', path, body);
  assert.equal(answer.status, 200, `${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

async function refused(path: string, body?: JsonObject, origin = 'y'): Promise<string> {
  const answer = await ask(origin, body ? 'POST' : 'GET', path, body);
  return `${answer.status} ${answer.body['errcode'] as string}`;
}

const inUrl = encodeURIComponent;
const createRoom = (version = '11') => TwinRoom.create(rooms, roomVersion(version));
/** The twin's events, in the order in which they came. */
const idsOf = (room: TwinRoom) => [...room.literal.events.keys()];
const newest = (room: TwinRoom) => idsOf(room).at(-1)!;
const pduOf = (room: TwinRoom, id: string) => room.literal.events.get(id)!.pdu;

/** All that a server can ask of a room. */
const questions = (room: TwinRoom, eventId: string): [path: string, body?: JsonObject][] => {
  const [roomId, event] = [inUrl(room.roomId), inUrl(eventId)];
  return [
    [`/event/${event}`],
    [`/state/${roomId}?event_id=${event}`],
    [`/state_ids/${roomId}?event_id=${event}`],
    [`/event_auth/${roomId}/${event}`],
    [`/query_auth/${roomId}/${event}`, { auth_chain: [] }],
    [`/backfill/${roomId}?v=${event}&limit=10`],
    [`/get_missing_events/${roomId}`, { earliest_events: [], latest_events: [eventId] }],
    [`/timestamp_to_event/${roomId}?ts=0&dir=f`],
  ];
};

const findKey: FindServerKey = async (server) => {
  const { publicKey } = server === 'x' ? signingKey : otherKey;
  return { publicKey, validUntilTs: Number.MAX_SAFE_INTEGER };
};

/** Checks signatures and hash; gives the id. Create events come with their rooms only. */
async function verified(room: TwinRoom, pdu: unknown): Promise<string> {
  const checked = await checkReceived(room.literal.version, room.roomId, pdu, findKey);
  if (typeof checked === 'string') assert.fail(checked);
  assert.deepEqual(checked.pdu, pdu, 'the hash is that of what was sent');
  assert.deepEqual(pdu, pduOf(room, checked.eventId));
  return checked.eventId;
}

for (const version of ['1', '11', '12']) {
  test(`room version ${version}: events are given as they were signed`, async () => {
    const room = await createRoom(version);
    await room.append(alice, message('ours'));
    await room.receive(room.build(carol, message('theirs'), room.literal.extremities));
    for (const id of idsOf(room).slice(1)) {
      // oxlint-disable-next-line no-await-in-loop
      const answer = await ok(`/event/${inUrl(id)}`);
      assert.equal(answer['origin'], 'x');
      assert.ok((answer['origin_server_ts'] as number) > 0);
      const [pdu, ...more] = answer['pdus'] as JsonObject[];
      // oxlint-disable-next-line no-await-in-loop
      assert.equal(await verified(room, pdu), id);
      assert.deepEqual(more, []);
    }
    const roomId = inUrl(room.roomId);
    const state = await ok(`/state/${roomId}?event_id=${inUrl(newest(room))}`);
    const entries = state['pdus'] as JsonObject[];
    const others = entries.filter(({ type }) => type !== 'm.room.create');
    assert.equal(entries.length, others.length + 1);
    const ids = await Promise.all(others.map((pdu) => verified(room, pdu)));
    const stateBefore = room.literal.events.get(newest(room))!.before;
    const createId = idsOf(room)[0]!;
    assert.deepEqual([createId, ...ids].toSorted(), [...stateBefore.values()].toSorted());
  });
}

test('who is not in the room is refused, whether there is one or not', async () => {
  const room = await createRoom();
  for (const [path, body] of questions(room, newest(room))) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await refused(path, body, 'z'), '403 M_FORBIDDEN', path);
    // oxlint-disable-next-line no-await-in-loop
    const nowhere = path.replace(inUrl(room.roomId), inUrl('!nowhere:x'));
    if (nowhere === path) continue;
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await refused(nowhere, body), '403 M_FORBIDDEN', nowhere);
  }
  const unsigned = await fetch(`${url}${base}/event/${inUrl(newest(room))}`);
  assert.equal(unsigned.status, 401);
});

test('who has left is refused from then on', async () => {
  const room = await createRoom();
  const before = newest(room);
  await ok(`/event/${inUrl(before)}`);
  await room.append(alice, membership(carol, 'leave'));
  await ok(`/event/${inUrl(before)}`);
  await room.append(alice, membership(dan, 'ban'));
  for (const [path, body] of questions(room, before)) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await refused(path, body), '403 M_FORBIDDEN', path);
  }
});

test('the access rules of a room shut servers out of all of it', async () => {
  const room = await createRoom();
  for (const [path, body] of questions(room, newest(room))) {
    // oxlint-disable-next-line no-await-in-loop
    await ok(path, body);
  }
  const acl = { allow: ['*'], deny: ['Y'] };
  await room.append(alice, { type: 'm.room.server_acl', stateKey: '', content: acl });
  for (const [path, body] of questions(room, newest(room))) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await refused(path, body), '403 M_FORBIDDEN', path);
  }
  const open = { allow: ['*'] };
  await room.append(alice, { type: 'm.room.server_acl', stateKey: '', content: open });
  await ok(`/event/${inUrl(newest(room))}`);
});

test('what is not known is not found', async () => {
  const room = await createRoom();
  const [other, roomId] = [await createRoom(), inUrl(room.roomId)];
  const stranger = inUrl(newest(other));
  for (const id of ['%24nothing', 'no%20id', stranger]) {
    for (const path of ['state', 'state_ids'].map((name) => `/${name}/${roomId}?event_id=${id}`)) {
      // oxlint-disable-next-line no-await-in-loop
      assert.equal(await refused(path), '404 M_NOT_FOUND', path);
    }
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await refused(`/event_auth/${roomId}/${id}`), '404 M_NOT_FOUND');
    // oxlint-disable-next-line no-await-in-loop
    assert.deepEqual((await ok(`/backfill/${roomId}?v=${id}&limit=10`))['pdus'], []);
  }
  assert.equal(await refused('/event/%24nothing'), '404 M_NOT_FOUND');
  assert.equal(await refused(`/state/${roomId}`), '400 M_MISSING_PARAM');
  assert.equal(await refused(`/backfill/${roomId}?v=%24a`), '400 M_MISSING_PARAM');
  assert.equal(await refused(`/backfill/${roomId}?limit=1`), '400 M_MISSING_PARAM');
  assert.equal(await refused(`/backfill/${roomId}?v=%24a&limit=0`), '400 M_INVALID_PARAM');
  const far = Number.MAX_SAFE_INTEGER;
  const late = `/timestamp_to_event/${roomId}?dir=f&ts=${far}`;
  assert.equal(await refused(late), '404 M_NOT_FOUND');
});

test('events without a place, or that were rejected, have no state to tell', async () => {
  const room = await createRoom();
  const banned = room.build(dan, message('still here'), room.literal.extremities);
  await room.append(alice, membership(dan, 'ban'));
  const soft = room.build(carol, message('on it'), room.literal.extremities);
  const wrong = room.build(dan, message('nobody'), room.literal.extremities);
  await room.receive(banned);
  await room.receive(wrong);
  await room.receive(soft);
  const roomId = inUrl(room.roomId);
  const statusAt = async (id: string) =>
    (await ask('y', 'GET', `/state_ids/${roomId}?event_id=${inUrl(id)}`)).status;
  assert.equal(await statusAt(banned.eventId), 200, 'soft-failed, but part of the graph');
  assert.equal(await statusAt(wrong.eventId), 404);
  assert.equal((await ask('y', 'GET', `/event/${inUrl(wrong.eventId)}`)).status, 200);
  await rooms.sql.query('update events set pos = null where event_id = $1', [soft.eventId]);
  assert.equal(await statusAt(soft.eventId), 404);
  const [outlier] = (await ok(`/event/${inUrl(soft.eventId)}`))['pdus'] as JsonObject[];
  assert.deepEqual(outlier!['content'], { body: 'on it' });
});

test('states are those before the event, with their auth chains', async () => {
  const room = await createRoom();
  const topic = (text: string) => ({
    type: 'm.room.topic',
    stateKey: '',
    content: { topic: text },
  });
  await room.append(alice, topic('first'));
  await room.append(alice, topic('second'));
  const roomId = inUrl(room.roomId);
  const second = newest(room);
  const { pdus, auth_chain: chain } = await ok(`/state/${roomId}?event_id=${inUrl(second)}`);
  const topics = (pdus as JsonObject[]).filter(({ type }) => type === 'm.room.topic');
  assert.deepEqual(
    topics.map(({ content }) => content),
    [{ topic: 'first' }],
  );
  const ids = await ok(`/state_ids/${roomId}?event_id=${inUrl(second)}`);
  assert.equal((ids['pdu_ids'] as string[]).length, (pdus as unknown[]).length);
  assert.equal((ids['auth_chain_ids'] as string[]).length, (chain as unknown[]).length);
  assert.ok(!(ids['pdu_ids'] as string[]).includes(second));
  const types = (chain as JsonObject[]).map(({ type }) => type);
  assert.ok(types.includes('m.room.create') && !types.includes('m.room.topic'));

  const auth = await ok(`/event_auth/${roomId}/${inUrl(second)}`);
  const named = pduOf(room, second).auth_events as string[];
  const given = auth['auth_chain'] as unknown as Pdu[];
  const first = given.findIndex(({ type }) => type === 'm.room.create');
  given.splice(first, 1);
  const authIds = await Promise.all(given.map((pdu) => verified(room, pdu)));
  assert.deepEqual(new Set([idsOf(room)[0], ...authIds]), new Set(named));
  assert.equal(authIds.length + 1, named.length);

  const all = auth['auth_chain'] as JsonObject[];
  const query = { auth_chain: all.slice(1) };
  const old = await ok(`/query_auth/${roomId}/${inUrl(second)}`, query);
  assert.equal((old['auth_chain'] as unknown[]).length, named.length);
  assert.equal((old['missing'] as unknown[]).length, named.length - all.length + 1);
});

test('a large state is given whole', async () => {
  const room = await createRoom();
  const count = 1_050;
  const events = Array.from({ length: count }, (_, i) => ({
    sender: alice,
    type: 'org.example.entry',
    stateKey: `${i}`,
    content: { i },
  }));
  const appended = await room.writer.append({ roomId: room.roomId, events });
  const last = appended.at(-1)!.eventId;
  const roomId = inUrl(room.roomId);
  const { pdus } = await ok(`/state/${roomId}?event_id=${inUrl(last)}`);
  const entries = (pdus as JsonObject[]).filter(({ type }) => type === 'org.example.entry');
  const numbers = entries.map(({ content }) => (content as JsonObject)['i'] as number);
  assert.deepEqual(
    numbers.toSorted((a, b) => a - b),
    Array.from({ length: count - 1 }, (_, i) => i),
  );
  const { pdu_ids: ids } = await ok(`/state_ids/${roomId}?event_id=${inUrl(last)}`);
  assert.equal(new Set(ids as string[]).size, (pdus as unknown[]).length);
});

const bodiesOf = (pdus: unknown) =>
  (pdus as JsonObject[]).map(({ content }) => (content as JsonObject)['body'] ?? null);

/** A room with numbered messages after what it begins with; gives their ids. */
async function talk(room: TwinRoom, count: number): Promise<string[]> {
  const events = Array.from({ length: count }, (_, i) => ({ sender: alice, ...message(`${i}`) }));
  const appended = await room.writer.append({ roomId: room.roomId, events });
  return appended.map(({ eventId }) => eventId);
}

test('backfill walks back from events, newest first, and no further than asked', async () => {
  const room = await createRoom();
  const ids = await talk(room, 105);
  const path = `/backfill/${inUrl(room.roomId)}`;
  const from = `${path}?v=${inUrl(ids[10]!)}`;
  assert.deepEqual(bodiesOf((await ok(`${from}&limit=3`))['pdus']), ['10', '9', '8']);
  const both = `${path}?v=${inUrl(ids[1]!)}&v=${inUrl(ids[10]!)}&limit=4`;
  assert.deepEqual(bodiesOf((await ok(both))['pdus']), ['10', '9', '1', '0']);
  const whole = (await ok(`${from}&limit=100`))['pdus'] as JsonObject[];
  assert.equal(whole.at(-1)!['type'], 'm.room.create');
  assert.equal(whole.length, 11 + idsOf(room).length);
  const many = await ok(`${path}?v=${inUrl(ids.at(-1)!)}&limit=1000`);
  assert.equal((many['pdus'] as unknown[]).length, 100);
});

test('missing events are those between, oldest first, and not too many', async () => {
  const room = await createRoom();
  const ids = await talk(room, 30);
  const missing = async (wish: JsonObject) =>
    bodiesOf((await ok(`/get_missing_events/${inUrl(room.roomId)}`, wish))['events']);
  const between = { earliest_events: [ids[2]!], latest_events: [ids[6]!] };
  assert.deepEqual(await missing(between), ['3', '4', '5']);
  assert.deepEqual(await missing({ ...between, limit: 2 }), ['4', '5']);
  assert.deepEqual(await missing({ ...between, limit: 0 }), []);
  const all = { earliest_events: [], latest_events: [ids.at(-1)!] };
  assert.equal((await missing(all)).length, 10);
  const most = await missing({ ...all, limit: 100 });
  assert.deepEqual(
    most,
    Array.from({ length: 20 }, (_, i) => `${i + 9}`),
  );
  const [event] = (await ok(`/event/${inUrl(ids[27]!)}`))['pdus'] as JsonObject[];
  const deep = { ...all, min_depth: event!['depth']! };
  assert.deepEqual(await missing(deep), ['27', '28']);
  const itself = { earliest_events: [ids[6]!], latest_events: [ids[6]!, '\0', 'no id'] };
  assert.deepEqual(await missing(itself), []);
});

test('who was not there is given what is left when events are redacted', async () => {
  const room = await createRoom();
  const visibility = { history_visibility: 'joined' };
  await room.append(alice, {
    type: 'm.room.history_visibility',
    stateKey: '',
    content: visibility,
  });
  for (const user of [carol, dan]) {
    // oxlint-disable-next-line no-await-in-loop
    await room.append(alice, membership(user, 'leave'));
  }
  await room.append(bob, message('among us'));
  const hidden = newest(room);
  await room.receive(room.build(carol, membership(carol, 'join'), room.literal.extremities));
  const joined = newest(room);
  const [event] = (await ok(`/event/${inUrl(hidden)}`))['pdus'] as JsonObject[];
  const { content: _content, ...rest } = pduOf(room, hidden);
  assert.deepEqual(event, { ...rest, content: {} });
  const path = `/backfill/${inUrl(room.roomId)}?v=${inUrl(joined)}&limit=2`;
  assert.deepEqual(bodiesOf((await ok(path))['pdus']), [null, null]);
  const wish = { earliest_events: [], latest_events: [joined], limit: 1 };
  const { events } = await ok(`/get_missing_events/${inUrl(room.roomId)}`, wish);
  assert.deepEqual(bodiesOf(events), [null]);
  const [join] = (await ok(`/event/${inUrl(joined)}`))['pdus'] as JsonObject[];
  await verified(room, join);
});

test('the event nearest to a time is found', async () => {
  const room = await createRoom();
  const [id = ''] = await talk(room, 1);
  const [pdu] = (await ok(`/event/${inUrl(id)}`))['pdus'] as JsonObject[];
  const ts = pdu!['origin_server_ts'] as number;
  const path = `/timestamp_to_event/${inUrl(room.roomId)}`;
  const times = idsOf(room).map((one) => pduOf(room, one).origin_server_ts);
  const latest = Math.max(ts, ...times);
  const at = await ok(`${path}?dir=b&ts=${latest + 1_000_000}`);
  assert.equal(at['origin_server_ts'], latest);
  assert.deepEqual(await ok(`${path}?dir=f&ts=0`), {
    event_id: idsOf(room)[0],
    origin_server_ts: times[0],
  });
  assert.equal(await refused(`${path}?dir=x&ts=1`), '400 M_INVALID_PARAM');
});
