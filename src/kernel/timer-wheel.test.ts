import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTimerWheel, type TimerWheel } from './timer-wheel.ts';

test('calls back when the time has come, in its order, and not before', () => {
  let now = 1000;
  const called: string[] = [];
  const wheel: TimerWheel<string> = createTimerWheel<string>({
    clock: { now: () => now },
    tickMs: 100,
    due: (item) => {
      called.push(item);
      if (item === 'again') wheel.set('later', now + 500);
    },
  });
  wheel.set('second', 1350);
  wheel.set('first', 1201);
  wheel.set('again', 1300);
  now = 1299;
  wheel.run();
  assert.deepEqual(called, []);
  now = 1400;
  wheel.run();
  assert.deepEqual(called, ['first', 'again', 'second']);
  now = 1899;
  wheel.run();
  assert.equal(called.length, 3);
  now = 5000;
  wheel.run();
  assert.equal(called.at(-1), 'later');
  wheel.set('never', 5100);
  wheel.stop();
  now = 9000;
  wheel.run();
  assert.equal(called.length, 4);
});
