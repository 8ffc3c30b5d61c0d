import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTurns } from './turns.ts';

/** Lets everything happen that waits for nothing outside. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('each server has one turn at a time, in the order in which it asked', async () => {
  const turns = createTurns();
  const order: string[] = [];
  const ends: (() => void)[] = [];
  const take = async (server: string, name: string) => {
    const end = await turns.take(server);
    order.push(name);
    ends.push(end);
  };
  const all = [take('a', 'a1'), take('a', 'a2'), take('a', 'a3'), take('b', 'b1')];
  await settled();
  assert.deepEqual(order, ['a1', 'b1']);
  ends[0]!();
  // Ended twice is ended once.
  ends[0]!();
  await settled();
  assert.deepEqual(order, ['a1', 'b1', 'a2']);
  ends[2]!();
  await Promise.all(all);
  ends[3]!();
  await take('a', 'a4');
  assert.deepEqual(order.slice(3), ['a3', 'a4']);
});

test('not too many wait', async () => {
  const turns = createTurns();
  const end = await turns.take('a');
  const waiting = Array.from({ length: 20 }, async () => (await turns.take('a'))());
  await assert.rejects(turns.take('a'), { code: 'M_LIMIT_EXCEEDED', status: 429 });
  (await turns.take('b'))();
  end();
  await Promise.all(waiting);
  (await turns.take('a'))();
});
