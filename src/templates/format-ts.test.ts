import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTs } from './format-ts.ts';

test('times are written as strftime does, in UTC', () => {
  const ts = Date.UTC(2031, 1, 3, 4, 5, 6);
  assert.equal(formatTs(ts, '%Y-%m-%d %H:%M:%S'), '2031-02-03 04:05:06');
  assert.equal(formatTs(ts, '%d. %B %Y, 100%% %q'), '03. February 2031, 100% %q');
});
