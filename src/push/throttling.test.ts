import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mailDueTs, nextThrottle } from './throttling.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const delayMs = 10 * minuteMs;

test('a first mail comes after the delay, later ones after ever longer pauses', () => {
  assert.equal(mailDueTs(1_000, delayMs, undefined), 1_000 + delayMs);
  const at = (nowTs: number) => ({ noticedTs: nowTs - 1, nowTs, delayMs });
  const first = nextThrottle(1, undefined, at(delayMs));
  assert.deepEqual(first, { roomNid: 1, lastSentTs: delayMs, throttleMs: delayMs });
  assert.equal(mailDueTs(delayMs - 5 * minuteMs, delayMs, first), 2 * delayMs);
  const second = nextThrottle(1, first, at(2 * delayMs));
  assert.equal(second.throttleMs, 24 * hourMs);
  assert.equal(nextThrottle(1, second, at(3 * delayMs)).throttleMs, 24 * hourMs);
});

test('after a long silence the pauses begin anew', () => {
  const long = { roomNid: 1, lastSentTs: 0, throttleMs: 24 * hourMs };
  const how = { noticedTs: 13 * hourMs, nowTs: 24 * hourMs, delayMs };
  assert.equal(nextThrottle(1, long, how).throttleMs, delayMs);
});
