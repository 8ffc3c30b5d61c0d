import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocalBus } from '../streams/bus.ts';
import { createJoinedRooms } from './joined-rooms.ts';
import { eventStream, type EventRow } from './streams.ts';

/** Users, by number, and the rooms they are joined to. */
type Joined = Record<number, number[]>;

function setUp(joined: Joined) {
  const bus = createLocalBus({
    position: 0,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  const asked: number[][] = [];
  let beforeAnswer: () => void = () => undefined;
  const store = {
    async joinedRooms(userNids: number[]) {
      asked.push(userNids.toSorted((a, b) => a - b));
      const rows = userNids.flatMap((userNid) =>
        (joined[userNid] ?? []).map((roomNid) => ({ userNid, roomNid })),
      );
      await Promise.resolve();
      beforeAnswer();
      return rows;
    },
  };
  const change = (userNid: number, roomNid: number, from: string, to: string) => {
    const rooms = (joined[userNid] ?? []).filter((nid) => nid !== roomNid);
    joined[userNid] = to === 'join' ? [...rooms, roomNid] : rooms;
    const membership = { userId: `@${userNid}:x`, userNid, isLocal: true, from, to };
    const row = { memberships: [membership] } as unknown as EventRow;
    bus.publish([{ stream: eventStream, pos: bus.position() + 1, row }]);
  };
  return {
    asked,
    change,
    rooms: createJoinedRooms(store, bus),
    onAnswer: (call: () => void) => (beforeAnswer = call),
  };
}

test('who shares a room is asked once, and known from then on', async () => {
  const { rooms, asked } = setUp({ 1: [10, 11], 2: [11], 3: [12] });
  assert.deepEqual(await rooms.sharing(1, [2, 3, 4]), new Set([2]));
  assert.deepEqual(asked, [[1, 2, 3, 4]]);
  assert.deepEqual(rooms.sharing(2, [1, 3]), new Set([1]), 'at once');
  assert.deepEqual(rooms.ofAny([1, 3]), new Set([10, 11, 12]), 'at once');
  assert.deepEqual(await rooms.sharing(3, [1, 5]), new Set());
  assert.deepEqual(await rooms.ofAny([2, 6]), new Set([11]));
  assert.deepEqual(asked, [[1, 2, 3, 4], [5], [6]], 'only who is not known');
});

test('joining and leaving is seen at once; a changed profile asks nobody', async () => {
  const { rooms, asked, change } = setUp({ 1: [10], 2: [11] });
  assert.deepEqual(await rooms.sharing(1, [2]), new Set());
  change(2, 10, 'invite', 'join');
  assert.deepEqual(await rooms.sharing(1, [2]), new Set([2]));
  change(2, 10, 'join', 'join');
  assert.deepEqual(rooms.sharing(1, [2]), new Set([2]));
  change(2, 10, 'join', 'leave');
  assert.deepEqual(await rooms.sharing(1, [2]), new Set());
  assert.equal(asked.length, 3);
});

test('what changes while the database answers is not lost', async () => {
  const { rooms, change, onAnswer } = setUp({ 1: [10], 2: [11] });
  let isChanged = false;
  onAnswer(() => {
    if (!isChanged) change(2, 10, 'leave', 'join');
    isChanged = true;
  });
  await rooms.sharing(1, [2]);
  assert.deepEqual(await rooms.sharing(1, [2]), new Set([2]));
});
