import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocalBus } from '../streams/bus.ts';
import { createRecentChanges } from './recent-changes.ts';
import { deviceListStream, userSignatureStream } from './streams.ts';

function newBus() {
  return createLocalBus({
    position: 10,
    ephemeralPosition: 0,
    onReaderError: (error) => {
      throw error;
    },
  });
}

const reader = (userNid: number, ...rooms: number[]) => ({
  userNid,
  isInRoom: (nid: number) => rooms.includes(nid),
});

function changeDevices(bus: ReturnType<typeof newBus>, pos: number, nid: number, rooms: number[]) {
  const row = { userNid: nid, userId: `@u${nid}:x`, roomNids: rooms };
  bus.publish([{ stream: deviceListStream, pos, row }]);
}

test('those who share a room with the user see the change, and the user', () => {
  const bus = newBus();
  const recent = createRecentChanges(bus);
  changeDevices(bus, 11, 1, [100, 101]);
  changeDevices(bus, 12, 2, [102]);
  assert.deepEqual(recent.after(reader(3, 101), 10, 12), ['@u1:x']);
  assert.deepEqual(recent.after(reader(3, 103), 10, 12), []);
  assert.deepEqual(recent.after(reader(2), 10, 12), ['@u2:x']);
  assert.deepEqual(recent.after(reader(3, 102), 10, 11), [], 'that came later');
  assert.deepEqual(recent.after(reader(3, 101), 11, 12), [], 'that was before');
});

test('only the signer sees signatures of others', () => {
  const bus = newBus();
  const recent = createRecentChanges(bus);
  const row = { userNid: 1, targetIds: ['@a:x', '@b:x'] };
  bus.publish([{ stream: userSignatureStream, pos: 11, row }]);
  assert.deepEqual(recent.after(reader(1), 10, 11)?.toSorted(), ['@a:x', '@b:x']);
  assert.deepEqual(recent.after(reader(2, 100), 10, 11), []);
});

test('what has been dropped is not taken for nothing', () => {
  const bus = newBus();
  const recent = createRecentChanges(bus, 4);
  for (let pos = 11; pos <= 15; pos++) changeDevices(bus, pos, pos, [100]);
  assert.equal(recent.after(reader(1, 100), 10, 15), null);
  assert.equal(recent.after(reader(1, 100), 12, 15), null);
  assert.deepEqual(recent.after(reader(1, 100), 13, 15), ['@u15:x', '@u14:x']);
});
