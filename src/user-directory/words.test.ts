import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { indexedWords, searchedWords } from './words.ts';

const finds = (term: string, ...texts: string[]) => {
  const words = indexedWords(...texts);
  const wanted = searchedWords(term);
  return wanted.length > 0 && wanted.every((one) => words.some((word) => word.startsWith(one)));
};

test('beginnings of words find a name, whatever their case and order', () => {
  assert.ok(finds('ali', 'Alice Cooper'));
  assert.ok(finds('COOP alice', 'Alice Cooper'));
  assert.ok(!finds('ooper', 'Alice Cooper'));
  assert.ok(!finds('alice bob', 'Alice Cooper'));
});

test('localparts are split at punctuation', () => {
  assert.ok(finds('user-1-alice', 'user-1-alice'));
  assert.ok(finds('alice', 'user-1_alice'));
  assert.ok(finds('alice.smith', 'alice.smith', 'A.'));
});

test('characters that look the same are the same', () => {
  assert.ok(finds('ｆｕｌｌ', 'Fullwidth'));
  assert.ok(finds('E\u0301va', 'Éva'));
});

test('any part of a name without spaces is found', () => {
  for (const term of ['王', '小明', '明', '王小明']) assert.ok(finds(term, '王小明'), term);
  assert.ok(!finds('明王', '王小明'));
  assert.ok(finds('中', 'Dr王中'));
  assert.ok(finds('dr', 'Dr王中'));
});

test('emoji and punctuation alone are no words', () => {
  assert.deepEqual(searchedWords('🎉 -- !'), []);
});

test('every name is found by itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (name) => {
      fc.pre(searchedWords(name).length > 0);
      assert.ok(finds(name, name));
    }),
  );
});
