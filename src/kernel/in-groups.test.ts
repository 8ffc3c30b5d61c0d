import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inGroups } from './in-groups.ts';

test('only so many items are worked on at a time, and the results are in order', async () => {
  let inside = 0;
  let most = 0;
  const results = await inGroups([1, 2, 3, 4, 5], 2, async (item) => {
    most = Math.max(most, ++inside);
    await Promise.resolve();
    inside--;
    return item * 2;
  });
  assert.deepEqual(results, [2, 4, 6, 8, 10]);
  assert.equal(most, 2);
});
