import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequiredState } from './required-state.ts';

const me = '@me:a';
const nobody: ReadonlySet<string> = new Set();

function required(...pairs: [string, string][]): RequiredState {
  const state = new RequiredState();
  for (const [type, key] of pairs) state.add(type, key, me);
  return state;
}

test('entries, whole types, everything with one key, everything', () => {
  const entry = required(['a', 'k']);
  assert.deepEqual([entry.admits('a', 'k', nobody), entry.admits('a', 'l', nobody)], [true, false]);
  const whole = required(['a', '*'], ['a', 'k']);
  assert.deepEqual(whole.wholeTypes(), ['a']);
  assert.deepEqual(whole.entries(), []);
  assert.deepEqual([whole.admits('a', 'x', nobody), whole.admits('b', 'x', nobody)], [true, false]);
  const keyed = required(['*', '']);
  assert.deepEqual([keyed.admits('b', '', nobody), keyed.admits('b', 'x', nobody)], [true, false]);
  assert.ok(required(['*', '*']).admits('b', 'x', nobody));
});

test('$ME is the reader, $LAZY those who appear', () => {
  assert.ok(required(['m.room.member', '$ME']).admits('m.room.member', me, nobody));
  const lazy = required(['*', '*'], ['m.room.member', '$LAZY']);
  assert.ok(lazy.isLazy);
  assert.ok(lazy.admits('m.room.member', '@b:a', new Set(['@b:a'])));
  assert.ok(!lazy.admits('m.room.member', '@c:a', new Set(['@b:a'])));
  assert.ok(lazy.admits('m.room.name', '', nobody));
});

test('the same wishes have the same signature, in whatever order', () => {
  const [a, b] = [required(['a', 'k'], ['b', '']), required(['b', ''], ['a', 'k'], ['a', 'k'])];
  assert.equal(a.signature(), b.signature());
  assert.notEqual(a.signature(), required(['a', 'k']).signature());
  assert.equal(
    required(['a', 'k'])
      .joinedWith(required(['b', '']))
      .signature(),
    a.signature(),
  );
});
