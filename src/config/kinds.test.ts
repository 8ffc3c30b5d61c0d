import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, list, oneOf, orNull, text, textOrList, type Kind } from './kinds.ts';
import { Findings, pathText, Reading } from './reading.ts';

function readWith<T>(kind: Kind<T>, value: unknown) {
  const findings = new Findings();
  const result = kind.read(value, new Reading(findings, ['option']));
  const problems = findings.problems.map(({ path, message }) => `${pathText(path)}: ${message}`);
  return { result, problems };
}

test('durations are milliseconds or a number with a unit', () => {
  const right: [unknown, number][] = [
    [1500, 1500],
    ['1500', 1500],
    ['20ms', 20],
    ['30s', 30_000],
    ['5m', 300_000],
    ['12h', 43_200_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['1y', 31_536_000_000],
  ];
  for (const [given, ms] of right) assert.equal(readWith(duration, given).result, ms);
  for (const wrong of ['5 minutes', '-1s', '', -1, Number.NaN, true, {}]) {
    assert.equal(readWith(duration, wrong).problems.length, 1, JSON.stringify(wrong));
  }
});

test('a wrong item of a list is told with its index', () => {
  const { problems } = readWith(list(text), ['a', 2]);
  assert.deepEqual(problems, ['option[1]: must be text, not 2']);
});

test('a choice names what is allowed', () => {
  assert.deepEqual(readWith(oneOf('a', 'b', false), 'c').problems, [
    'option: must be one of a, b, false, not "c"',
  ]);
});

test('null is a value where it may be one', () => {
  assert.equal(readWith(orNull(text), null).result, null);
  assert.equal(readWith(text, null).problems.length, 1);
});

test('a single text stands for a list of one', () => {
  assert.deepEqual(readWith(textOrList, 'a').result, ['a']);
  assert.deepEqual(readWith(textOrList, ['a', 'b']).result, ['a', 'b']);
});

test('long values are cut off in messages', () => {
  const { problems } = readWith(oneOf('a'), 'x'.repeat(10_000));
  assert.ok(problems.every((problem) => problem.length < 200));
  assert.equal(problems.length, 1);
});
