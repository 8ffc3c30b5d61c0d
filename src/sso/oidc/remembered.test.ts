import assert from 'node:assert/strict';
import { test } from 'node:test';
import { remembered } from './remembered.ts';

function counted() {
  const clock = { now: () => state.nowTs };
  const state = { nowTs: 0, loads: 0, fails: false };
  const value = remembered(
    clock,
    async () => {
      state.loads += 1;
      if (state.fails) throw new Error('away');
      return state.loads;
    },
    { keptMs: 1000, shortestMs: 100 },
  );
  return { state, value };
}

test('what is kept is loaded anew when it is old, or said to be wrong', async () => {
  const { state, value } = counted();
  assert.deepEqual(await Promise.all([value.get(), value.get()]), [1, 1]);
  state.nowTs = 50;
  assert.equal(await value.getNewer(), 1, 'just now');
  state.nowTs = 100;
  assert.equal(await value.getNewer(), 2);
  state.nowTs = 1099;
  assert.equal(await value.get(), 2);
  state.nowTs = 1100;
  assert.equal(await value.get(), 3);
});

test('what cannot be loaded anew stays, and is not asked for all the time', async () => {
  const { state, value } = counted();
  state.fails = true;
  await assert.rejects(value.get());
  state.fails = false;
  assert.equal(await value.get(), 2);
  state.fails = true;
  state.nowTs = 2000;
  assert.equal(await value.get(), 2);
  assert.equal(await value.getNewer(), 2);
  assert.equal(state.loads, 3);
});
