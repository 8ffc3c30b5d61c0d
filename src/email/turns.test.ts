import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTurns, TooLate } from './turns.ts';

const limits = { atOnce: 2, waitingMax: 1, msMax: 60_000 };

test('so many at once, so many wait, the others are refused', async () => {
  const turns = createTurns(limits);
  const works = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  const taken = works.map(({ promise }, i) =>
    turns.take(() => {
      begun.push(i);
      return promise;
    }),
  );
  await assert.rejects(taken[3]!, /too many/);
  assert.deepEqual(begun, [0, 1]);
  works[1]!.reject(new Error('broken'));
  await assert.rejects(taken[1]!, /broken/);
  assert.deepEqual(begun, [0, 1, 2]);
  works[0]!.resolve();
  works[2]!.resolve();
  await Promise.all([taken[0], taken[2]]);
  await turns.take(async () => begun.push(4));
  assert.deepEqual(begun, [0, 1, 2, 4]);
});

test('what is late keeps no turn and no place', async () => {
  const turns = createTurns({ ...limits, msMax: 1 });
  const never = () => new Promise<void>(() => undefined);
  const taken = [turns.take(never), turns.take(never), turns.take(never)];
  await Promise.all(taken.map((one) => assert.rejects(one, TooLate)));
  const after = [1, 2, 3].map((n) => turns.take(async () => n));
  assert.deepEqual(await Promise.all(after), [1, 2, 3]);
});
