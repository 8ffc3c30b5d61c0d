import assert from 'node:assert/strict';
import test from 'node:test';
import { allOf } from './all-of.ts';

test('values are there at once, promises when all have settled', async () => {
  assert.deepEqual(allOf([1, 'two', null]), [1, 'two', null]);
  const waiting = allOf([1, Promise.resolve('two')]);
  assert.ok(waiting instanceof Promise);
  assert.deepEqual(await waiting, [1, 'two']);
  await assert.rejects(async () => allOf([Promise.reject(new Error('no')), 1]), /no/);
});
