import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPosition, isSynapsePosition, parsePosition } from './position.ts';

test('positions as text, and those of others', () => {
  const own = formatPosition({ durable: 12, ephemeral: 1_700_000_000_000, tag: 'abc' });
  assert.deepEqual(parsePosition(own), { durable: 12, ephemeral: 1_700_000_000_000, tag: 'abc' });
  assert.equal(isSynapsePosition(own), false);
  const theirs = ['s72594_4483_1934_1_1_1_1_1_1', 'm56~2.58~3.59_4483_1934_1_1_1_1_1_1_7'];
  for (const text of theirs) {
    assert.equal(parsePosition(text), null);
    assert.equal(isSynapsePosition(text), true);
  }
  for (const text of ['', 's1', 's1_2_3', 't1_2_3_4_5_6_7_8', 's1_2_3_4_5_6_7_x']) {
    assert.equal(isSynapsePosition(text), false, text);
  }
});
