import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob, containsWord } from './glob.ts';

/** The same meaning as a regular expression, which may take very long for long texts. */
function expression(pattern: string): string {
  return pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
}

test('matches whole texts', () => {
  assert.ok(compileGlob('lunc?*').matches('lunch plans'));
  assert.ok(!compileGlob('lunc?*').matches(' lunch'));
  assert.ok(!compileGlob('lunc?*').matches('lunc'));
  assert.ok(compileGlob('').matches(''));
  assert.ok(compileGlob('a?b').matches('a😀b'));
  assert.ok(compileGlob('a?b', { questionMark: false }).matches('a?b'));
  assert.ok(!compileGlob('a?b', { questionMark: false }).matches('axb'));
});

test('matches between word boundaries', () => {
  for (const text of ['an example event.', 'exple', 'an exciting triple-whammy']) {
    assert.ok(compileGlob('ex*ple').matchesWords(text), text);
  }
  assert.ok(!compileGlob('ex*ple').matchesWords('an hexample'));
  assert.ok(!compileGlob('ex*ple').matchesWords('examples'));
  assert.ok(containsWord('hello @room!', '@room'));
  assert.ok(containsWord('привет аня, как дела', 'аня'));
  assert.ok(!containsWord('foobar', 'foo'));
  assert.ok(containsWord('foobar foo', 'foo'));
  assert.ok(!containsWord('anything', ''));
});

test('equals the regular expression', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '-'), maxLength: 12 });
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '-', '*', '?'), maxLength: 6 });
  fc.assert(
    fc.property(letters, pattern, (text, glob) => {
      const compiled = compileGlob(glob);
      assert.equal(compiled.matches(text), new RegExp(`^${expression(glob)}$`, 's').test(text));
      const boundary = '(?:(?<!\\w)|(?!\\w))';
      const words = new RegExp(`${boundary}${expression(glob)}${boundary}`, 's');
      if (glob !== '') assert.equal(compiled.matchesWords(text), words.test(text));
    }),
    { numRuns: 2000 },
  );
});

test('ends quickly for patterns that invite backtracking', () => {
  const text = 'a'.repeat(60_000);
  assert.ok(!compileGlob(`${'*a'.repeat(100)}b`).matchesWords(text));
  assert.ok(!compileGlob('a'.repeat(600)).matches('a'.repeat(600)));
});
