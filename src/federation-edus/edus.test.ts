import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { Queryable } from '../database/database.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { eventStream } from '../rooms/module.ts';
import { createLocalBus } from '../streams/bus.ts';
import { createEduHandlers } from './module.ts';

const origin = 'remote.example';
const bob = `@bob:${origin}`;
const now = 1_000_000;

/** Rooms of users of the other server, by user id; a room's number is its place in `roomIds`. */
const roomIds = ['!open:x', '!closed:x', '!empty:x'];
const joined: Record<string, string[]> = { [bob]: ['!open:x', '!closed:x'] };
const userNids = new Map([
  [bob, 7],
  ['@alice:here.example', 1],
]);

/** Stands in for the tables of rooms and users. */
const database = {
  async query({ name }: { name: string }, params: string[][]) {
    if (name === 'edus.users_sharing_rooms') {
      return params[0]!
        .filter((userId) => userId in joined)
        .map((userId) => ({ userId, userNid: userNids.get(userId) }));
    }
    assert.equal(name, 'edus.joined_users');
    return params[0]!.flatMap((roomId, i) => {
      const userId = params[1]![i]!;
      if (!joined[userId]?.includes(roomId)) return [];
      return [{ roomId, roomNid: roomIds.indexOf(roomId), userId, userNid: userNids.get(userId) }];
    });
  },
} as unknown as Queryable;

let received: unknown[];
beforeEach(() => {
  received = [];
});
const take = async (...args: unknown[]) => void received.push(...args);
const bus = createLocalBus({
  position: 0,
  ephemeralPosition: 0,
  onReaderError: (error) => assert.fail(String(error)),
});
const handlers = createEduHandlers({
  bus,
  serverName: 'here.example',
  database,
  clock: { now: () => now },
  serverAcls: { allows: async (roomNid) => roomIds[roomNid] !== '!closed:x' },
  userNidsOf: async (userIds) => new Map([...userNids].filter(([id]) => userIds.includes(id))),
  deliver: take,
  typing: { receive: take },
  receipts: { receive: take },
  presence: { receive: take },
  remoteLists: { changeDevice: take, changeKeys: take },
});
const send = (type: string, content: JsonObject) => handlers.get(type)!(origin, content);

describe('messages to devices', () => {
  const edu = (changes: JsonObject): JsonObject => ({
    sender: bob,
    type: 'm.room_key',
    message_id: 'id',
    messages: { '@alice:here.example': { A: { a: 1 }, '*': { b: 2 } } },
    ...changes,
  });
  const frame = `,"sender":"${bob}","type":"m.room_key"}`;

  test('are delivered to users of this server', async () => {
    const messages = {
      '@alice:here.example': { A: { a: 1 }, '*': { b: 2 }, 'B\0': {}, C: 'none', D: {} },
      '@nobody:here.example': { A: {} },
      '@alice:elsewhere.example': { A: {} },
    };
    await send('m.direct_to_device', edu({ messages }));
    assert.deepEqual(received, [
      {
        senderNid: 0,
        senderDeviceNid: 0,
        type: origin,
        txnId: 'id',
        nowTs: now,
        remote: [],
        messages: [
          { userNid: 1, deviceId: 'A', message: `{"content":{"a":1}${frame}` },
          { userNid: 1, deviceId: '*', message: `{"content":{"b":2}${frame}` },
          { userNid: 1, deviceId: 'D', message: `{"content":{}${frame}` },
        ],
      },
    ]);
  });

  test('are dropped when they are not of the server, too large or malformed', async () => {
    const large = { A: { a: 'x'.repeat(70_000) } };
    const many = Object.fromEntries(Array.from({ length: 5_001 }, (_, i) => [`D${i}`, {}]));
    for (const changes of [
      { sender: '@bob:other.example' },
      { sender: 7 },
      { type: null },
      { message_id: 'x'.repeat(513) },
      { message_id: 'a\0' },
      { messages: [] },
      { messages: { '@alice:here.example': large } },
      { messages: { '@alice:here.example': many } },
    ] as JsonObject[]) {
      // oxlint-disable-next-line no-await-in-loop
      await send('m.direct_to_device', edu(changes));
    }
    assert.deepEqual(received, []);
  });
});

test('users of the server who are in a room type there', async () => {
  await send('m.typing', { room_id: '!open:x', user_id: bob, typing: true });
  await send('m.typing', { room_id: '!open:x', user_id: bob, typing: false });
  const user = { roomNid: 0, roomId: '!open:x', userId: bob };
  assert.deepEqual(received, [user, 60_000, user, null]);
  received = [];
  for (const content of [
    { room_id: '!closed:x', user_id: bob, typing: true },
    { room_id: '!empty:x', user_id: bob, typing: true },
    { room_id: '!open:x', user_id: '@bob:other.example', typing: true },
    { room_id: '!open:x', user_id: '@alice:here.example', typing: true },
    { room_id: '!open:x', user_id: bob, typing: 'yes' },
    { room_id: 5, user_id: bob, typing: true },
  ] as JsonObject[]) {
    // oxlint-disable-next-line no-await-in-loop
    await send('m.typing', content);
  }
  assert.deepEqual(received, []);
});

describe('receipts', () => {
  const read = (eventId: string, data: JsonObject = { ts: 5 }) => ({ event_ids: [eventId], data });

  test('are taken where the user is joined and the server let in', async () => {
    await send('m.receipt', {
      '!open:x': {
        'm.read': {
          [bob]: read('$1', { ts: 5, thread_id: 'main' }),
          '@al:here.example': read('$1'),
        },
        'm.read.private': { [bob]: read('$2') },
      },
      '!closed:x': { 'm.read': { [bob]: read('$3') } },
      '!empty:x': { 'm.read': { [bob]: read('$4') } },
    });
    const user = { roomNid: 0, roomId: '!open:x', userNid: 7, userId: bob };
    assert.deepEqual(received, [[{ ...user, eventId: '$1', threadId: 'main', ts: 5 }]]);
    received = [];
    await send('m.receipt', { '!open:x': { 'm.read': { [bob]: read('$1', { ts: -1 }) } } });
    assert.deepEqual(received, [[{ ...user, eventId: '$1', threadId: null, ts: now }]]);
  });

  test('that are none are dropped', async () => {
    for (const receipt of [
      read('no id'),
      read('$1', { ts: 5, thread_id: '' }),
      read('$1', { ts: 5, thread_id: 7 }),
      { event_ids: '$1', data: {} },
      'none',
    ]) {
      // oxlint-disable-next-line no-await-in-loop
      await send('m.receipt', { '!open:x': { 'm.read': { [bob]: receipt } } });
    }
    await send('m.receipt', { '!open:x': { 'm.read': [] }, 'no id': {} });
    assert.deepEqual(received, []);
  });
});

test('presence of those who share a room is taken', async () => {
  await send('m.presence', {
    push: [
      { user_id: bob, presence: 'online', last_active_ago: 400, currently_active: true },
      { user_id: '@carol:remote.example', presence: 'online', last_active_ago: 0 },
      { user_id: '@al:here.example', presence: 'online', last_active_ago: 0 },
      { user_id: bob, presence: 'unavailable', status_msg: 'x'.repeat(1_025) },
      { user_id: bob, presence: 'busy' },
      null,
    ],
  });
  const shown = { state: 'unavailable', lastActiveTs: null, isCurrentlyActive: false };
  assert.deepEqual(received, [[{ ...shown, userId: bob, userNid: 7, statusMsg: null }]]);
  received = [];
  await send('m.presence', { push: [{ user_id: bob, presence: 'online', status_msg: 'Here' }] });
  const online = { ...shown, state: 'online', statusMsg: 'Here' };
  assert.deepEqual(received, [[{ ...online, userId: bob, userNid: 7 }]]);
  received = [];
  await send('m.presence', { push: {} });
  await send('m.presence', { push: [{ user_id: '@carol:remote.example', presence: 'online' }] });
  assert.deepEqual(received, []);
});

test('changes of devices and keys of users of the server are taken', async () => {
  const content = { user_id: bob, device_id: 'A', stream_id: 3 };
  const types = ['m.device_list_update', 'm.signing_key_update', 'org.matrix.signing_key_update'];
  for (const type of types) {
    received = [];
    // oxlint-disable-next-line no-await-in-loop
    await send(type, content);
    assert.deepEqual(received, [bob, content]);
    received = [];
    // oxlint-disable-next-line no-await-in-loop
    await send(type, { ...content, user_id: '@al:here.example' });
    assert.deepEqual(received, []);
  }
});

test('presence that comes before the join by which a room is shared is taken then', async () => {
  const dora = '@dora:remote.example';
  await send('m.presence', { push: [{ user_id: dora, presence: 'online' }] });
  assert.deepEqual(received, []);
  const member = (to: string) => ({ userId: dora, userNid: 9, isLocal: false, from: 'leave', to });
  const publish = (to: string) =>
    bus.publish([
      { stream: eventStream, pos: bus.position() + 1, row: { memberships: [member(to)] } },
    ]);
  publish('invite');
  assert.deepEqual(received, []);
  publish('join');
  assert.deepEqual(
    (received as [{ userNid: number; state: string }][])[0]!.map((one) => [one.userNid, one.state]),
    [[9, 'online']],
  );
  publish('join');
  assert.equal(received.length, 1, 'once');
});
