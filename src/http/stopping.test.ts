import assert from 'node:assert/strict';
import test from 'node:test';
import { Stopping } from './stopping.ts';

test('who is in the list when the server stops is told, once', () => {
  const stopping = new Stopping();
  const told: number[] = [];
  const all = Array.from({ length: 5 }, (_, i) => ({
    slot: -1,
    tell() {
      stopping.delete(this);
      told.push(i);
    },
  }));
  for (const one of all) stopping.add(one);
  stopping.delete(all[1]!);
  stopping.delete(all[1]!);
  stopping.delete(all[4]!);
  stopping.add(all[1]!);
  stopping.delete(all[0]!);
  assert.equal(stopping.isStopping, false);
  stopping.stop();
  stopping.stop();
  assert.equal(stopping.isStopping, true);
  assert.deepEqual(
    told.toSorted((a, b) => a - b),
    [1, 2, 3],
  );
});
