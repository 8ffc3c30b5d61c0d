import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBackOff } from './back-off.ts';

test('a server that fails is left alone, for longer each time, until it answers', () => {
  let now = 0;
  const options = { minMs: 1000, factor: 2, maxMs: 3000 };
  const backOff = createBackOff(options, { now: () => now }, () => 1);
  assert.equal(backOff.waitMs('a'), 0);
  backOff.failed('a');
  assert.equal(backOff.waitMs('a'), 1000);
  assert.equal(backOff.waitMs('b'), 0);
  // What was under way at the time says nothing new.
  backOff.failed('a');
  assert.equal(backOff.waitMs('a'), 1000);
  now += 1000;
  assert.equal(backOff.waitMs('a'), 0);
  backOff.failed('a');
  assert.equal(backOff.waitMs('a'), 2000);
  now += 2000;
  backOff.failed('a');
  assert.equal(backOff.waitMs('a'), 3000);
  backOff.succeeded('a');
  assert.equal(backOff.waitMs('a'), 0);
  backOff.failed('a');
  assert.equal(backOff.waitMs('a'), 1000);
});

test('the time is shorter by chance', () => {
  const backOff = createBackOff({ minMs: 1000, factor: 2, maxMs: 9000 }, { now: () => 0 }, () => 0);
  backOff.failed('a');
  assert.equal(backOff.waitMs('a'), 700);
});
