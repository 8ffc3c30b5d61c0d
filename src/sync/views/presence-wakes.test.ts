import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { createPresenceWakes } from './presence-wakes.ts';

test('those who see changes of presence are woken once for all changes of a second', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const woken: number[][] = [];
    let isReachable = true;
    const joinedRooms = {
      ofAny: async (userNids: readonly number[]) => {
        if (!isReachable) throw new Error('the database is away');
        return new Set(userNids.flatMap((nid) => [nid * 10, 5]));
      },
    };
    const wakes = createPresenceWakes(joinedRooms, (rooms) => woken.push([...rooms]));
    const passes = async (ms: number) => {
      mock.timers.tick(ms);
      await new Promise((resolve) => setImmediate(resolve));
    };
    wakes.changed(1);
    await passes(900);
    wakes.changed(2);
    wakes.changed(1);
    assert.deepEqual(woken, []);
    await passes(100);
    assert.deepEqual(woken, [[10, 5, 20]]);
    await passes(5_000);
    assert.equal(woken.length, 1);
    isReachable = false;
    wakes.changed(3);
    await passes(1_000);
    assert.deepEqual(woken[1], []);
    isReachable = true;
    wakes.changed(3);
    await passes(1_000);
    assert.deepEqual(woken[2], [30, 5]);
  } finally {
    mock.timers.reset();
  }
});
