import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Requester } from '../http/endpoint.ts';
import { MatrixError } from '../kernel/errors.ts';
import { eventStream, type EventRow } from '../rooms/module.ts';
import { createLocalRoles } from '../cluster/role.ts';
import { createLocalBus } from '../streams/bus.ts';
import { createTyping, typingEventJson, typingStream } from './module.ts';
import { createTypists, typingMsMax } from './typists.ts';

const alice = { userId: '@a:x', userNid: 1, deviceId: 'D' };

function setUp() {
  let now = 1_000_000;
  const clock = { now: () => now };
  const bus = createLocalBus({
    position: 0,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  const rows: string[] = [];
  bus.subscribe(typingStream, (published) => {
    for (const { row } of published) rows.push(row.userIds.join(' '));
  });
  return { clock, bus, rows, pass: (ms: number) => void (now += ms) };
}

const user = (userId: string) => ({ roomNid: 1, roomId: '!r:x', userId, isLocal: true });

test('typing ends by itself, later when it is renewed', () => {
  const { clock, bus, rows, pass } = setUp();
  const typists = createTypists(clock, bus);
  typists.start(user('@a:x'), 10_000);
  typists.start(user('@b:x'), 10_000);
  assert.deepEqual(rows, ['@a:x', '@a:x @b:x']);
  pass(8000);
  typists.start(user('@a:x'), 10_000);
  assert.equal(rows.length, 2);
  pass(3000);
  typists.expire();
  assert.deepEqual(rows.slice(2), ['@a:x']);
  pass(8000);
  typists.expire();
  assert.deepEqual(rows.slice(3), ['']);
  pass(typingMsMax);
  typists.expire();
  assert.equal(rows.length, 4);
  typists.stop();
});

test('typing can be shortened, ended and is never too long', () => {
  const { clock, bus, rows, pass } = setUp();
  const typists = createTypists(clock, bus);
  typists.start(user('@a:x'), 100_000);
  typists.start(user('@a:x'), 1000);
  pass(1500);
  typists.expire();
  assert.deepEqual(rows, ['@a:x', '']);
  typists.start(user('@a:x'), 1e12);
  typists.end(1, '@a:x');
  typists.end(1, '@a:x');
  assert.deepEqual(rows.slice(2), ['@a:x', '']);
  typists.start(user('@a:x'), 1e12);
  pass(typingMsMax + 250);
  typists.expire();
  assert.equal(rows.at(-1), '');
  typists.stop();
});

test('long typing is said again, and a room has a limit', () => {
  const { clock, bus, rows, pass } = setUp();
  const typists = createTypists(clock, bus);
  typists.start(user('@a:x'), 60_000);
  pass(45_000);
  typists.start(user('@a:x'), 60_000);
  assert.deepEqual(rows, ['@a:x', '@a:x']);
  for (let i = 0; i < 300; i++) typists.start(user(`@${i}:x`), 60_000);
  assert.equal(rows.at(-1)!.split(' ').length, 200);
  typists.stop();
});

function createModule() {
  const parts = setUp();
  const active: string[] = [];
  const typing = createTyping({
    clock: parts.clock,
    bus: parts.bus,
    roles: createLocalRoles(),
    noteActivity: (who) => void active.push(who.userId),
    rooms: {
      joined: (roomId) =>
        roomId === '!r:x'
          ? Promise.resolve({
              roomNid: 1,
              roomId,
              roomVersion: '12',
              membership: 'join',
              pos: 1,
              isForgotten: false,
            })
          : Promise.reject(new MatrixError('M_FORBIDDEN', 'not there')),
    },
  });
  const put = (roomId: string, userId: string, body: object): unknown =>
    typing.endpoints[0]!.handle({
      params: { roomId, userId },
      query: {},
      body,
      requester: alice as Requester,
      origin: null,
      request: null as never,
      raw: null as never,
    });
  return { ...parts, typing, put, active };
}

test('the endpoint: only oneself, only in a joined room', async () => {
  const { typing, put, active } = createModule();
  assert.deepEqual(await put('!r:x', '@a:x', { typing: true, timeout: 5000 }), {});
  assert.deepEqual(typing.usersIn(1), ['@a:x']);
  assert.deepEqual(active, ['@a:x']);
  await assert.rejects(async () => put('!r:x', '@b:x', { typing: true }), { code: 'M_FORBIDDEN' });
  await assert.rejects(async () => put('!s:x', '@a:x', { typing: true }), { code: 'M_FORBIDDEN' });
  await put('!r:x', '@a:x', { typing: false });
  assert.deepEqual(typing.usersIn(1), []);
  assert.equal(typingEventJson(['@a:x']), '{"content":{"user_ids":["@a:x"]},"type":"m.typing"}');
  typing.stop();
});

test('who leaves a room no longer types there', async () => {
  const { bus, typing, put } = createModule();
  await put('!r:x', '@a:x', { typing: true });
  await typing.receive({ roomNid: 1, roomId: '!r:x', userId: '@z:y' }, 5000);
  const leave = { userId: '@a:x', userNid: 1, isLocal: true, from: 'join', to: 'leave' };
  const row = { event: { roomNid: 1 }, memberships: [leave] } as unknown as EventRow;
  bus.publish([{ stream: eventStream, pos: 1, row }]);
  assert.deepEqual(typing.usersIn(1), ['@z:y']);
  await typing.receive({ roomNid: 1, roomId: '!r:x', userId: '@z:y' }, null);
  assert.deepEqual(typing.usersIn(1), []);
  typing.stop();
});
