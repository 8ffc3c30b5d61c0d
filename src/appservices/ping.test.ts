import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutboundError, type OutboundFailure } from '../outbound/errors.ts';
import type { OutboundRequest, OutboundStream } from '../outbound/outbound-http.ts';
import { pingAppservice } from './ping.ts';

const service = { url: 'http://bridge.example', hsToken: 'hs' };
const head = { headers: {}, url: '' };
const never = () => assert.fail('nothing is to be asked');

/** Pings a service that answers after 7 ms. */
function ping(open: () => Promise<OutboundStream>, url: string | null = service.url) {
  const asked: { url: string; request: OutboundRequest }[] = [];
  let now = 1_000;
  const outbound = {
    async open(target: string, request: OutboundRequest = {}) {
      asked.push({ url: target, request });
      now += 7;
      return open();
    },
  };
  const clock = { now: () => now };
  return { asked, done: pingAppservice({ outbound, clock }, { ...service, url }, 'txn') };
}

async function* pieces(...texts: string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

test('a service is told the transaction and who asks; the time is given', async () => {
  const { asked, done } = ping(async () => ({ ...head, status: 200, body: pieces('{}') }));
  assert.equal(await done, 7);
  assert.equal(asked[0]!.url, 'http://bridge.example/_matrix/app/v1/ping');
  assert.equal(asked[0]!.request.headers!['Authorization'], 'Bearer hs');
  assert.equal(asked[0]!.request.body, '{"transaction_id":"txn"}');
});

test('without a URL nothing is asked', async () => {
  await assert.rejects(ping(never, null).done, { code: 'M_URL_NOT_SET', status: 400 });
});

test('why there is no answer', async () => {
  const cases: [OutboundFailure, string, number][] = [
    ['timeout', 'M_CONNECTION_TIMEOUT', 504],
    ['unreachable', 'M_CONNECTION_FAILED', 502],
    ['bad_url', 'M_CONNECTION_FAILED', 502],
  ];
  for (const [reason, code, status] of cases) {
    const { done } = ping(() => Promise.reject(new OutboundError(reason, 'no')));
    // oxlint-disable-next-line no-await-in-loop
    await assert.rejects(done, { code, status });
  }
});

test('the beginning of a bad answer is shown, however long it is or wherever it breaks off', async () => {
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) yield Buffer.alloc(1_000, 'x');
  }
  const long = ping(async () => ({ ...head, status: 500, body: endless() }));
  await assert.rejects(long.done, {
    code: 'M_BAD_STATUS',
    status: 502,
    extra: { status: 500, body: 'x'.repeat(16 * 1024) },
  });
  async function* broken(): AsyncGenerator<Buffer> {
    yield Buffer.from('begun');
    throw new OutboundError('unreachable', 'broken off');
  }
  const short = ping(async () => ({ ...head, status: 302, body: broken() }));
  await assert.rejects(short.done, { extra: { status: 302, body: 'begun' } });
});
