import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventStream, type EventRow, type StoredEvent } from '../rooms/module.ts';
import { createLocalBus } from '../streams/bus.ts';
import { HeldPushers } from './held-pushers.ts';
import type { JudgedRoom } from './judged-room.ts';
import { createJudging } from './judging.ts';
import type { Notification } from './store/notifications.ts';
import type { PusherRow } from './store/pushers.ts';

const now = 1_000_000;

const eventAt = (pos: number): StoredEvent => ({
  roomNid: 1,
  eventNid: pos,
  pos,
  sub: 0,
  eventId: `$${pos}`,
  typeNid: 1,
  type: 'x',
  stateKey: null,
  sender: '@bob:test',
  senderNid: 2,
  originServerTs: now,
  content: '{}',
  unsigned: null,
  deviceNid: null,
  txnId: null,
  redactedBy: null,
  redacts: null,
  isForked: false,
  isAfterGap: false,
});

const pusherOf = (userNid: number, startPos: number | null): PusherRow => ({
  pusherNid: userNid,
  userNid,
  userId: `@u${userNid}:test`,
  shard: userNid,
  appId: 'a',
  pushkey: 'k',
  kind: 'http',
  appDisplayName: '',
  deviceDisplayName: '',
  profileTag: null,
  lang: 'en',
  data: '{}',
  createdTs: 0,
  pos: 0,
  startPos,
  failingSinceTs: null,
  isEnabled: true,
  deviceId: null,
});

/** Users 1 and 2, in shards 1 and 2, are notified of everything. */
function setUp(lastPos: number) {
  const bus = createLocalBus({
    position: lastPos,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  const kept: { found: string[]; shards: number[]; pos: number; newUserNids: number[] }[] = [];
  const stored: StoredEvent[] = [];
  const hooks = { beforeJudging: () => {} };
  const judging = createJudging({
    bus,
    clock: { now: () => now },
    rooms: {
      async of(roomNids) {
        hooks.beforeJudging();
        const judge = () => [1, 2].map((userNid) => ({ userNid, actions: ['notify'] }));
        return new Map(roomNids.map((nid) => [nid, { judge } as unknown as JudgedRoom]));
      },
      forgetAll: () => undefined,
    },
    store: {
      async keep(found: readonly Notification[], { shards, pos, newUserNids }) {
        const told = found.map((one) => `${one.userNid}:${one.pos}`);
        kept.push({ found: told, shards, pos, newUserNids });
      },
      eventsAfter: async (afterPos, uptoPos, most) =>
        stored.filter(({ pos }) => pos! > afterPos && pos! <= uptoPos).slice(0, most),
    },
  });
  const send = (pos: number) => {
    stored.push(eventAt(pos));
    const row: EventRow = {
      roomId: '!r',
      roomVersion: '11',
      event: eventAt(pos),
      memberships: [],
      changed: null,
      redacted: null,
    };
    bus.publish([{ stream: eventStream, pos, row }]);
  };
  const held = new HeldPushers();
  return { judging, held, send, kept, stored, hooks };
}

test('events are judged once, also those from before this process', async () => {
  const { judging, held, send, kept, stored } = setUp(12);
  stored.push(eventAt(11), eventAt(12));
  held.shards.set(1, 10);
  held.renew(1, [pusherOf(1, null)]);
  send(13);
  assert.deepEqual(await judging.run(held), new Set([1]));
  assert.deepEqual(await judging.run(held), new Set());
  send(14);
  await judging.run(held);
  assert.deepEqual(
    kept.map(({ found, pos }) => [found, pos]),
    [
      [['1:11', '1:12', '1:13'], 13],
      [['1:14'], 14],
    ],
  );
});

test('a new pusher’s user is judged from its beginning, the others not again', async () => {
  const { judging, held, send, kept } = setUp(10);
  held.shards.set(1, 10).set(2, 10);
  held.renew(1, [pusherOf(1, null)]);
  send(11);
  send(12);
  await judging.run(held);
  held.renew(2, [pusherOf(2, 11)]);
  await judging.run(held);
  const last = kept.at(-1)!;
  assert.deepEqual(last.found, ['2:12']);
  assert.deepEqual(last.newUserNids, [2]);
  assert.equal(held.starts.size, 0);
});

test('a shard that is given away while events are judged does not move on here', async () => {
  const { judging, held, send, kept, hooks } = setUp(10);
  held.shards.set(1, 10).set(2, 10);
  held.renew(1, [pusherOf(1, null)]);
  held.renew(2, [pusherOf(2, null)]);
  hooks.beforeJudging = () => held.release([2]);
  send(11);
  assert.deepEqual(await judging.run(held), new Set([1]));
  assert.deepEqual(kept, [{ found: ['1:11'], shards: [1], pos: 11, newUserNids: [] }]);
});
