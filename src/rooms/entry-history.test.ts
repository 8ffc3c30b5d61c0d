import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entryHistory } from './entry-history.ts';
import type { HistoryRow } from './store/visibility-history.ts';

const json = (value: string | null) => (value === null ? null : JSON.stringify({ value }));
const span = (value: string, fromPos: number, toPos: number): HistoryRow => ({
  isMember: false,
  content: json(value),
  fromPos,
  toPos,
  sub: null,
  before: null,
  isBeforeKnown: false,
});
/** `before` undefined: not known. */
const place = (
  pos: number,
  sub: number,
  content: string | null,
  before?: string | null,
  basePos = pos,
): HistoryRow => ({
  ...span('', pos, basePos),
  content: json(content),
  sub,
  before: json(before ?? null),
  isBeforeKnown: before !== undefined,
});

test('below the top holds what was before it, down to the entry that made it so', () => {
  const rows = [
    span('old', 1, 10),
    span('new', 10, 99),
    place(10, 0, null, undefined, 9),
    place(10, -5, 'middle', 'first'),
  ];
  const { at, fetchedAt } = entryHistory(rows, 'value');
  assert.deepEqual([at(9), at(10), at(100)], ['old', 'new', '']);
  assert.deepEqual(
    [-1, -4, -5, -6, -100].map((sub) => fetchedAt(10, sub)),
    ['old', 'old', 'middle', 'first', 'first'],
  );
});

test('what was before an entry is not known unless somebody has told', () => {
  const rows = [place(10, 0, null, 'top'), place(10, -3, 'set')];
  const { fetchedAt } = entryHistory(rows, 'value');
  assert.deepEqual(
    [-2, -3, -4].map((sub) => fetchedAt(10, sub)),
    ['top', 'set', undefined],
  );
  assert.equal(fetchedAt(11, -1), undefined, 'another stretch');
});

test('a stretch further down begins with what is known of it', () => {
  const rows = [
    place(10, 0, null, 'top'),
    place(10, -1000, null, 'there'),
    place(10, -1004, 'changed', null),
    place(10, -2000, null),
  ];
  const { fetchedAt } = entryHistory(rows, 'value');
  assert.deepEqual(
    [-999, -1000, -1003, -1004, -1005, -2000].map((sub) => fetchedAt(10, sub)),
    ['top', 'there', 'there', 'changed', '', undefined],
  );
});
