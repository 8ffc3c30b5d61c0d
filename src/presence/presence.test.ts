import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Requester } from '../http/endpoint.ts';
import { createLocalRoles } from '../cluster/role.ts';
import { createLocalBus } from '../streams/bus.ts';
import { createBoard } from './board.ts';
import {
  createPresence,
  defaultPresenceConfig,
  presenceStream,
  type PresenceConfig,
} from './module.ts';
import { createTracker } from './tracker.ts';

const alice = { userNid: 1, userId: '@a:x', deviceId: 'A' };
const bob = { userNid: 2, userId: '@b:x', deviceId: 'B' };
const { activeMs, syncOnlineMs, idleMs } = defaultPresenceConfig;

function setUp() {
  let now = 1_000_000;
  const clock = { now: () => now };
  const bus = createLocalBus({
    position: 0,
    ephemeralPosition: 100,
    onReaderError: (error) => assert.fail(String(error)),
  });
  const rows: string[] = [];
  bus.subscribe(presenceStream, (published) => {
    for (const { row } of published) {
      rows.push(`${row.userId} ${row.state}${row.isCurrentlyActive ? ' active' : ''}`);
    }
  });
  return { clock, bus, rows, pass: (ms: number) => void (now += ms) };
}

function track() {
  const parts = setUp();
  const board = createBoard(parts.bus);
  const tracker = createTracker(defaultPresenceConfig, parts.clock, parts.bus, board);
  const pass = (ms: number) => {
    parts.pass(ms);
    tracker.tick();
  };
  return { ...parts, board, tracker, pass };
}

test('a user who syncs is online, then idle, then offline', () => {
  const { tracker, rows, pass } = track();
  const end = tracker.syncing(alice, 'online');
  assert.deepEqual(rows, ['@a:x online active']);
  pass(activeMs);
  assert.deepEqual(rows.slice(1), ['@a:x online']);
  pass(idleMs);
  assert.deepEqual(rows.slice(2), ['@a:x unavailable']);
  tracker.noteActivity(alice);
  assert.deepEqual(rows.slice(3), ['@a:x online active']);
  end();
  end();
  pass(syncOnlineMs + 1000);
  assert.deepEqual(rows.slice(4), ['@a:x offline']);
  pass(idleMs * 10);
  assert.equal(rows.length, 5);
  tracker.stop();
});

test('syncs over the limit change nothing; a later one does', () => {
  const parts = setUp();
  let isAllowed = true;
  const asked: string[] = [];
  const mayChange = (userId: string) => {
    asked.push(userId);
    return isAllowed;
  };
  const board = createBoard(parts.bus);
  const tracker = createTracker(defaultPresenceConfig, parts.clock, parts.bus, board, mayChange);
  tracker.syncing(alice, 'online')();
  tracker.syncing(alice, 'online')();
  assert.deepEqual(asked, [alice.userId], 'only changes count');
  isAllowed = false;
  tracker.syncing(alice, 'unavailable')();
  assert.deepEqual(parts.rows, ['@a:x online active']);
  isAllowed = true;
  tracker.syncing(alice, 'unavailable')();
  assert.deepEqual(parts.rows, ['@a:x online active', '@a:x unavailable']);
  tracker.stop();
});

test('syncing again and again says nothing new', () => {
  const { tracker, rows, pass } = track();
  for (let i = 0; i < 10; i++) {
    const end = tracker.syncing(alice, 'online');
    tracker.noteActivity(alice);
    pass(syncOnlineMs - 2000);
    end();
  }
  assert.deepEqual(rows, ['@a:x online active']);
  tracker.stop();
});

test('the most present device counts, and offline syncs do not', () => {
  const { tracker, rows } = track();
  tracker.syncing({ ...alice, deviceId: 'C' }, 'offline');
  assert.deepEqual(rows, []);
  tracker.syncing(alice, 'unavailable');
  tracker.syncing({ ...alice, deviceId: 'B' }, 'online');
  tracker.syncing({ ...alice, deviceId: 'D' }, 'unavailable');
  assert.deepEqual(rows, ['@a:x unavailable', '@a:x online active']);
  tracker.set({ ...alice, deviceId: 'B' }, 'unavailable', 'away');
  assert.deepEqual(rows.slice(2), ['@a:x unavailable']);
  tracker.noteActivity(alice);
  assert.deepEqual(rows.slice(3), ['@a:x online active']);
  tracker.stop();
});

test('what is set lasts as long as the device is there', () => {
  const { tracker, rows, board, pass } = track();
  tracker.set(alice, 'online', 'here');
  assert.equal(board.get(1)!.statusMsg, 'here');
  tracker.set(alice, 'online', 'there');
  assert.deepEqual(rows, ['@a:x online active', '@a:x online active']);
  pass(syncOnlineMs + 1000);
  assert.deepEqual(rows.slice(2), ['@a:x offline']);
  tracker.syncing(alice, 'online');
  assert.equal(board.get(1)!.statusMsg, 'there');
  tracker.set(alice, 'offline', 'gone');
  assert.equal(board.get(1)!.statusMsg, null);
  assert.equal(rows.at(-1), '@a:x offline');
  tracker.stop();
});

test('another server’s word holds for a while', () => {
  const { tracker, rows, pass } = track();
  const remote = {
    userNid: 9,
    userId: '@z:y',
    state: 'online' as const,
    lastActiveTs: 1,
    statusMsg: null,
    isCurrentlyActive: true,
  };
  tracker.receive(remote);
  pass(20 * 60_000);
  tracker.receive(remote);
  pass(20 * 60_000);
  assert.deepEqual(rows, ['@z:y online active']);
  pass(11 * 60_000);
  assert.deepEqual(rows.slice(1), ['@z:y offline']);
  tracker.stop();
});

test('the board knows what changed, also when it has forgotten the order', () => {
  const { bus } = setUp();
  const board = createBoard(bus, { usersMax: 10, changesMax: 4 });
  const post = (userNid: number, state: 'online' | 'offline') => {
    const pos = bus.nextEphemeral();
    const row = {
      userNid,
      userId: `@${userNid}:x`,
      isLocal: true,
      state,
      lastActiveTs: null,
      statusMsg: null,
      isCurrentlyActive: false,
    };
    bus.publish([{ stream: presenceStream, pos, row }]);
    return pos;
  };
  const changed = (pos: number) =>
    board
      .changedAfter(pos)
      .map((p) => p.userNid)
      .toSorted((a, b) => a - b);
  const first = post(1, 'online');
  post(2, 'online');
  const third = post(1, 'offline');
  assert.deepEqual(changed(first), [1, 2]);
  assert.deepEqual(changed(third), []);
  for (let i = 3; i <= 8; i++) post(i, 'online');
  assert.deepEqual(changed(third), [3, 4, 5, 6, 7, 8]);
  assert.deepEqual(changed(-1), [1, 2, 3, 4, 5, 6, 7, 8]);
  for (let i = 9; i <= 11; i++) post(i, 'online');
  assert.equal(board.get(1), undefined);
  assert.equal(board.get(2)?.state, 'online');
});

function createModule(config: Partial<PresenceConfig> = {}) {
  const parts = setUp();
  const asked: number[][] = [];
  const presence = createPresence({
    roles: createLocalRoles(),
    config: { ...defaultPresenceConfig, ...config },
    clock: parts.clock,
    bus: parts.bus,
    // Alice and Bob share a room; nobody else does.
    whoShares: (userNid, candidates) => {
      asked.push([...candidates]);
      return new Set(candidates.filter((nid) => nid + userNid === 3));
    },
    sharesRoom: async (userNid, otherNid) => userNid + otherNid === 3,
    userNidOf: (userId) => (userId === '@b:x' ? 2 : userId === '@c:x' ? 3 : null),
  });
  const call = async (at: number, userId: string, body: object = {}): Promise<unknown> =>
    presence.endpoints[at]!.handle({
      params: { userId },
      query: {},
      body,
      requester: alice as Requester,
      origin: null,
      request: null as never,
      raw: null as never,
    });
  return { ...parts, presence, asked, get: call.bind(null, 0), put: call.bind(null, 1) };
}

test('the endpoints', async () => {
  const { presence, get, put, pass } = createModule();
  assert.deepEqual(await get('@a:x'), { presence: 'offline' });
  assert.deepEqual(await put('@a:x', { presence: 'online', status_msg: 'hi' }), {});
  pass(20);
  presence.noteActivity(alice);
  pass(50);
  const online = {
    presence: 'online',
    last_active_ago: 50,
    status_msg: 'hi',
    currently_active: true,
  };
  assert.deepEqual(await get('@a:x'), online);
  assert.deepEqual(await get('@b:x'), { presence: 'offline' });
  for (const userId of ['@c:x', '@unknown:x']) {
    await assert.rejects(get(userId), { code: 'M_FORBIDDEN' });
  }
  await assert.rejects(put('@b:x', { presence: 'online' }), { code: 'M_FORBIDDEN' });
  const long = { presence: 'online', status_msg: 'x'.repeat(2000) };
  await assert.rejects(put('@a:x', long), { code: 'M_INVALID_PARAM' });
  presence.stop();
});

test('syncs see those who share a room, and ask nobody when nothing has changed', async () => {
  const { presence, bus, asked } = createModule();
  const start = bus.ephemeralPosition();
  presence.syncing(alice, 'online');
  presence.syncing(bob, 'online');
  presence.syncing({ userNid: 3, userId: '@c:x', deviceId: 'C' }, 'online');
  const seenBy = async (nid: number, after: number | null, newly?: number[]) =>
    (await presence.eventsFor(nid, after, newly)).map(({ sender }) => sender).toSorted();
  assert.deepEqual(await seenBy(1, start), ['@a:x', '@b:x']);
  assert.deepEqual(await seenBy(3, null), ['@c:x']);
  asked.length = 0;
  assert.deepEqual(await seenBy(1, bus.ephemeralPosition()), []);
  assert.deepEqual(await seenBy(1, bus.ephemeralPosition(), [3, 4]), ['@c:x']);
  assert.deepEqual(asked, []);
  const [own] = await presence.eventsFor(3, null);
  assert.equal(
    own!.json,
    '{"content":{"presence":"online","last_active_ago":0,"currently_active":true},"sender":"@c:x","type":"m.presence"}',
  );
  presence.stop();
});

test('without presence everybody is offline', async () => {
  const { presence, get, put, rows } = createModule({ isEnabled: false });
  presence.syncing(alice, 'online')();
  presence.noteActivity(alice);
  await put('@a:x', { presence: 'online' });
  assert.deepEqual(await get('@a:x'), { presence: 'offline' });
  assert.deepEqual(await presence.eventsFor(1, null), []);
  assert.deepEqual(rows, []);
});
