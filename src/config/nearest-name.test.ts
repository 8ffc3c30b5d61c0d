import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { editDistance, nearestName } from './nearest-name.ts';

const word = fc.string({ maxLength: 12 });

test('the distance is a metric', () => {
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      assert.equal(editDistance(a, a), 0);
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.ok(editDistance(a, c) <= editDistance(a, b) + editDistance(b, c));
      assert.ok(editDistance(a, b) >= Math.abs(a.length - b.length));
    }),
  );
});

test('known distances', () => {
  assert.equal(editDistance('kitten', 'sitting'), 3);
  assert.equal(editDistance('', 'abc'), 3);
});

test('a misspelling finds its name, another word finds none', () => {
  const names = ['server_name', 'presence', 'redis', 'listeners'];
  assert.equal(nearestName('servername', names), 'server_name');
  assert.equal(nearestName('lisenters', names), 'listeners');
  assert.equal(nearestName('zebra', names), null);
});
