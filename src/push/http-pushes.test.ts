import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import { HeldPushers } from './held-pushers.ts';
import { createHttpPushes } from './http-pushes.ts';
import { createPushMetrics } from './push-metrics.ts';
import type { PendingRow } from './store/notifications.ts';
import type { PusherRow } from './store/pushers.ts';

const hourMs = 60 * 60 * 1000;
const user = { userNid: 1, userId: '@alice:test' };

const pusherRow: PusherRow = {
  ...user,
  pusherNid: 1,
  shard: 0,
  appId: 'app',
  pushkey: 'key',
  kind: 'http',
  appDisplayName: '',
  deviceDisplayName: '',
  profileTag: null,
  lang: 'en',
  data: '{"url":"https://gateway.test/_matrix/push/v1/notify"}',
  createdTs: 0,
  pos: 0,
  startPos: null,
  failingSinceTs: null,
  isEnabled: true,
  deviceId: null,
};

const pendingAt = (pos: number, changes: Partial<PendingRow> = {}) =>
  ({
    pos,
    eventId: `$${pos}`,
    roomId: '!r',
    type: 'm.room.message',
    sender: '@bob:test',
    stateKey: null,
    originServerTs: 0,
    content: '{}',
    redactedBy: null,
    actions: '["notify"]',
    isPast: false,
    senderMember: null,
    nameContent: null,
    aliasContent: null,
    ...changes,
  }) as PendingRow;

function setUp({ jitterMs = 0 } = {}) {
  const state = { now: 1_000_000, isFailing: false, rejected: [] as string[], unread: 1 };
  const sent: unknown[] = [];
  const removed: string[] = [];
  const held = new HeldPushers();
  held.renew(1, [pusherRow]);
  const [pusher] = held.ofUser(1);
  const pushes = createHttpPushes({
    config: {
      isEnabled: true,
      includesContent: true,
      countsRooms: true,
      jitterMs,
      hasSwitches: false,
    },
    clock: { now: () => state.now },
    log: createLog('error', { write: () => undefined }),
    gateway: {
      async notify(_url, { notification }) {
        const { event_id: eventId, counts } = notification as Record<string, unknown>;
        sent.push(eventId ?? counts);
        if (state.isFailing) throw new Error('the gateway is down');
        return state.rejected;
      },
    },
    metrics: createPushMetrics(new Metrics(), () => []),
    badgeOf: async () => state.unread,
    rejected: async ({ row }) => void removed.push(row.pushkey),
  });
  return { state, sent, removed, pusher: pusher!, pushes };
}

test('a push that fails is tried after ever longer pauses, up to an hour, and given up after a day', async () => {
  const { state, sent, pusher, pushes } = setUp();
  state.isFailing = true;
  const waits: number[] = [];
  const startTs = state.now;
  while (pusher.pos === 0) {
    // oxlint-disable-next-line no-await-in-loop
    await pushes.push(pusher, [pendingAt(1)]);
    waits.push(pusher.dueTs - state.now);
    state.now = Math.max(state.now, pusher.dueTs);
    assert.ok(state.now - startTs < 26 * hourMs, 'it is given up');
  }
  assert.deepEqual(waits.slice(0, 4), [1_000, 2_000, 4_000, 8_000]);
  assert.equal(Math.max(...waits), hourMs);
  assert.ok(state.now - startTs > 24 * hourMs);
  assert.equal(pusher.failingSinceTs, null);
  state.isFailing = false;
  const { succeeded } = await pushes.push(pusher, [pendingAt(2)]);
  assert.equal(succeeded, true);
  assert.equal(sent.at(-1), '$2');
});

test('nothing overtakes a push that fails', async () => {
  const { state, sent, pusher, pushes } = setUp();
  state.isFailing = true;
  await pushes.push(pusher, [pendingAt(1), pendingAt(2)]);
  assert.deepEqual(sent, ['$1']);
  assert.equal(pusher.pos, 0);
});

test('what was read or redacted meanwhile is passed over', async () => {
  const { sent, pusher, pushes } = setUp();
  const rows = [pendingAt(1, { isPast: true }), pendingAt(2, { redactedBy: '$x' }), pendingAt(3)];
  await pushes.push(pusher, rows);
  assert.deepEqual(sent, ['$3']);
  assert.equal(pusher.pos, 3);
});

test('only the pushkey that was sent can be rejected', async () => {
  const { state, removed, pusher, pushes } = setUp();
  state.rejected = ['another'];
  await pushes.push(pusher, [pendingAt(1)]);
  assert.deepEqual(removed, []);
  state.rejected = ['key'];
  await pushes.push(pusher, [pendingAt(2)]);
  assert.deepEqual(removed, ['key']);
});

test('a count is told only when it is another', async () => {
  const { state, sent, pusher, pushes } = setUp();
  await pushes.push(pusher, [pendingAt(1)]);
  await pushes.pushCount(pusher);
  state.unread = 0;
  await pushes.pushCount(pusher);
  await pushes.pushCount(pusher);
  assert.deepEqual(sent, ['$1', { unread: 0 }]);
});

test('with a jitter a young event waits, once', async () => {
  const { state, sent, pusher, pushes } = setUp({ jitterMs: 5_000 });
  const young = pendingAt(1, { originServerTs: state.now });
  await pushes.push(pusher, [young]);
  assert.deepEqual(sent, []);
  assert.ok(pusher.dueTs > state.now && pusher.dueTs <= state.now + 5_000);
  state.now = pusher.dueTs;
  await pushes.push(pusher, [young]);
  assert.deepEqual(sent, ['$1']);
});
