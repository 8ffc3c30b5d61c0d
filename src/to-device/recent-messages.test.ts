import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLocalBus } from '../streams/bus.ts';
import { createRecentMessages } from './recent-messages.ts';
import { toDeviceStream } from './streams.ts';

const newBus = () =>
  createLocalBus({
    position: 10,
    ephemeralPosition: 0,
    onReaderError: (error) => {
      throw error;
    },
  });

function publish(bus: ReturnType<typeof newBus>, pos: number, deviceNid: number, size = 4): void {
  const message = `${pos}`.padEnd(size, ' ');
  bus.publish([{ stream: toDeviceStream, pos, row: { userNid: 1, deviceNid, message } }]);
}

test('a device gets its own messages of the range, oldest first', () => {
  const bus = newBus();
  const recent = createRecentMessages(bus);
  for (const [pos, deviceNid] of [
    [11, 1],
    [12, 2],
    [13, 1],
    [14, 1],
  ] as const) {
    publish(bus, pos, deviceNid);
  }
  const positions = (...range: [number, number]) =>
    recent.after(1, ...range)?.map(({ pos }) => pos);
  assert.deepEqual(positions(10, 14), [11, 13, 14]);
  assert.deepEqual(positions(11, 13), [13]);
  assert.deepEqual(positions(14, 20), []);
  assert.equal(positions(9, 14), undefined, 'there may have been some before it began');
});

test('what it answers is complete, however little it may keep', () => {
  const sending = fc.record({ deviceNid: fc.integer({ min: 1, max: 4 }), size: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(sending, { maxLength: 60 }), fc.nat(200), (sendings, max) => {
      const bus = newBus();
      const recent = createRecentMessages(bus, max);
      sendings.forEach(({ deviceNid, size }, i) => publish(bus, 11 + i, deviceNid, size));
      for (let afterPos = 10; afterPos <= 10 + sendings.length; afterPos++) {
        for (const deviceNid of [1, 2, 3, 4]) {
          const found = recent.after(deviceNid, afterPos, Infinity);
          if (found === null) continue;
          const expected = sendings.flatMap((one, i) =>
            one.deviceNid === deviceNid && 11 + i > afterPos ? [11 + i] : [],
          );
          assert.deepEqual(
            found.map(({ pos }) => pos),
            expected,
          );
        }
      }
      const newest = 10 + sendings.length;
      assert.deepEqual(recent.after(1, newest, newest), [], 'nothing is newer');
    }),
  );
});
