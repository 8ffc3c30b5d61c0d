import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutboundError } from '../outbound/errors.ts';
import type { OutboundRequest } from '../outbound/outbound-http.ts';
import { createWellKnown, keptMs } from './well-known.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** A web whose answers are given one after the other; the last one stays. */
function wellKnownOf(
  ...answers: (string | null | { body: string; headers: Record<string, string> })[]
) {
  const requests: { url: string; options: OutboundRequest | undefined }[] = [];
  const time = { now: 0 };
  const wellKnown = createWellKnown(
    async (url, options) => {
      requests.push({ url, options });
      const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
      if (answer === null) throw new OutboundError('unreachable', 'gone');
      const { body, headers } = typeof answer === 'string' ? { body: answer, headers: {} } : answer;
      return { status: 200, headers, url, body: Buffer.from(body) };
    },
    { now: () => time.now },
  );
  return { wellKnown, requests, time };
}

test('the file is read over HTTPS once a day, whoever asks', async () => {
  const { wellKnown, requests, time } = wellKnownOf('{"m.server": "b.example:443"}');
  const both = [wellKnown.delegated('a.example'), wellKnown.delegated('a.example')];
  assert.deepEqual(await Promise.all(both), ['b.example:443', 'b.example:443']);
  time.now = 23 * hourMs;
  await wellKnown.delegated('a.example');
  assert.equal(requests.length, 1);
  assert.equal(requests[0]!.url, 'https://a.example/.well-known/matrix/server');
  time.now = 25 * hourMs;
  await wellKnown.delegated('a.example');
  assert.equal(requests.length, 2);
});

test('it is bounded, and redirects lead only to HTTPS', async () => {
  const { wellKnown, requests } = wellKnownOf('{"m.server": "b.example"}');
  await wellKnown.delegated('a.example');
  const { bytesMax, redirectsMax, timeoutMs, isUrlAllowed } = requests[0]!.options!;
  assert.ok(bytesMax! <= 100_000 && redirectsMax! <= 20 && timeoutMs! <= 30_000);
  assert.equal(isUrlAllowed!(new URL('https://c.example/')), true);
  assert.equal(isUrlAllowed!(new URL('http://c.example/')), false);
});

test('what is no delegation is an error', async () => {
  for (const body of [
    '',
    '{',
    '[]',
    '{"m.server": 1}',
    '{"m.server": "a b"}',
    '{"m.server": "a:99999"}',
  ]) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await wellKnownOf(body).wellKnown.delegated('a.example'), null, body);
  }
});

test('errors are kept for a minute, then longer, an hour at most; success ends it', async () => {
  const { wellKnown, requests, time } = wellKnownOf(null, null, null, '{"m.server": "b"}', null);
  const askedAfter = async (ms: number) => {
    const before = requests.length;
    time.now += ms;
    await wellKnown.delegated('a.example');
    return requests.length > before;
  };
  assert.equal(await askedAfter(0), true);
  assert.equal(await askedAfter(minuteMs - 1), false);
  assert.equal(await askedAfter(1), true);
  assert.equal(await askedAfter(2 * minuteMs - 1), false);
  assert.equal(await askedAfter(1), true);
  assert.equal(await askedAfter(4 * minuteMs), true);
  assert.equal(await wellKnown.delegated('a.example'), 'b');
  assert.equal(await askedAfter(24 * hourMs), true);
  assert.equal(await askedAfter(minuteMs), true);
  for (let i = 0; i < 10; i++) time.now += hourMs;
  assert.equal(await askedAfter(0), true);
  assert.equal(await askedAfter(hourMs), true);
});

test('an answer says how long it is good, within a minute and two days', () => {
  assert.equal(keptMs({ 'cache-control': 'public, max-age=7200' }, 0), 2 * hourMs);
  assert.equal(keptMs({ 'cache-control': 'MAX-AGE="7200"' }, 0), 2 * hourMs);
  assert.equal(keptMs({ 'cache-control': 'max-age=99999999' }, 0), 48 * hourMs);
  assert.equal(keptMs({ 'cache-control': 'no-store, max-age=7200' }, 0), minuteMs);
  assert.equal(keptMs({ 'cache-control': 's-maxage=7200' }, 0), 24 * hourMs);
  const expires = new Date(3 * hourMs).toUTCString();
  assert.equal(keptMs({ expires }, hourMs), 2 * hourMs);
  assert.equal(keptMs({ expires: '0' }, Date.now()), minuteMs);
  assert.equal(keptMs({ expires, 'cache-control': 'max-age=3600' }, 0), hourMs);
});
