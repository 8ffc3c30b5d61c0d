import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { anyText } from '../kernel/test-text.ts';
import { queryOf, vectorOf } from './search-text.ts';

test('text becomes its words and the word of its room', () => {
  assert.equal(vectorOf('Hello, hello WORLD!', 7), '@7 hello world');
  assert.equal(vectorOf('東京タワー', 7), '@7 東京 京タ タワ ワー ー');
  assert.equal(vectorOf('…!?', 7), null);
});

test('a term becomes a query for all its words', () => {
  assert.deepEqual(queryOf('Hello 4', [1, 2]), {
    words: `'hello':* & '4'`,
    wordsInRooms: `('@1' | '@2') & 'hello':* & '4'`,
    highlights: ['hello', '4'],
  });
  assert.equal(queryOf('京都', [])?.words, `'京都':*`);
  assert.equal(queryOf('!', [1]), null);
});

test('nothing that a user writes is syntax', () => {
  fc.assert(
    fc.property(anyText(), (text) => {
      const vector = vectorOf(text, 1) ?? '';
      const query = queryOf(text, [1])?.highlights.join('') ?? '';
      assert.doesNotMatch(vector.replace('@1', '') + query, /['\\:|&!<>()*\0]/);
    }),
  );
});
