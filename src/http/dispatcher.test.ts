import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MatrixError } from '../kernel/errors.ts';
import { clientPaths, Reply } from './endpoint.ts';
import { base, declare, exchange, requesters, startTestServer } from './test-server.ts';

const json = async (response: Response) => (await response.json()) as Record<string, unknown>;

const room = declare({
  ...base,
  operation: 'room',
  method: 'PUT',
  paths: clientPaths('/rooms/:roomId/state/:type/:key'),
  handle: ({ params }) => params,
});
const show = declare({
  ...base,
  operation: 'show',
  method: 'GET',
  paths: ['/show/:id'],
  handle: ({ params, query }) => ({ params, query }),
});

test('every prefix of a path leads to its endpoint', async (t) => {
  const { url } = await startTestServer(t, [room]);
  for (const prefix of ['v3', 'r0', 'api/v1', 'unstable']) {
    const path = `/_matrix/client/${prefix}/rooms/!a:b/state/m.x/k`;
    const response = await fetch(url + path, { method: 'PUT', body: '{}' });
    assert.equal(response.status, 200, prefix);
    assert.deepEqual(await json(response), { roomId: '!a:b', type: 'm.x', key: 'k' });
  }
});

test('parameters are percent-decoded once', async (t) => {
  const { url } = await startTestServer(t, [show]);
  const cases = {
    'a%2Fb': 'a/b',
    '%23room%3Ab': '#room:b',
    '%252F': '%2F',
    '%C3%A9%F0%9F%98%80': 'é😀',
    'a;b': 'a;b',
    'a+b': 'a+b',
    'x/': 'x',
  };
  for (const [sent, id] of Object.entries(cases)) {
    const { params } = await json(await fetch(`${url}/show/${sent}`));
    assert.deepEqual(params, { id }, sent);
  }
});

test('paths that cannot be decoded or are too long are not recognised', async (t) => {
  const { url } = await startTestServer(t, [show]);
  for (const sent of ['%ZZ', '%ff', 'a'.repeat(3000)]) {
    const response = await fetch(`${url}/show/${sent}`);
    assert.equal(response.status, 404);
    assert.equal((await json(response))['errcode'], 'M_UNRECOGNIZED');
  }
});

test('NUL in path or query is refused before a handler sees it', async (t) => {
  const { url } = await startTestServer(t, [show]);
  for (const path of ['/show/a%00b', '/show/a?x=%00']) {
    const response = await fetch(url + path);
    assert.equal(response.status, 400);
    assert.equal((await json(response))['errcode'], 'M_INVALID_PARAM');
  }
});

test('the first of repeated query parameters counts; a bad escape stays', async (t) => {
  const { url } = await startTestServer(t, [show]);
  const { query } = await json(await fetch(`${url}/show/a?x=1&x=2&y=%ZZ&__proto__=3`));
  assert.equal(JSON.stringify(query), '{"x":"1","y":"%ZZ","__proto__":"3"}');
});

test('404 for unknown paths, 405 for known ones with another method', async (t) => {
  const { url } = await startTestServer(t, [show]);
  const unknown = await fetch(`${url}/nothing`);
  assert.equal(unknown.status, 404);
  assert.equal((await json(unknown))['errcode'], 'M_UNRECOGNIZED');
  const other = await fetch(`${url}/show/a`, { method: 'DELETE' });
  assert.equal(other.status, 405);
  assert.equal((await json(other))['errcode'], 'M_UNRECOGNIZED');
});

test('web clients of any origin may read answers and errors', async (t) => {
  const { url } = await startTestServer(t, [show]);
  const preflight = await fetch(`${url}/anything`, { method: 'OPTIONS' });
  assert.equal(preflight.status, 204);
  for (const response of [preflight, await fetch(`${url}/show/a`), await fetch(`${url}/none`)]) {
    assert.equal(response.headers.get('access-control-allow-origin'), '*');
    assert.match(response.headers.get('access-control-allow-headers') ?? '', /Authorization/);
    assert.match(response.headers.get('access-control-allow-methods') ?? '', /DELETE/);
  }
});

test('HEAD is GET without the body', async (t) => {
  const { port } = await startTestServer(t, [show]);
  const answer = await exchange(
    port,
    'HEAD /show/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.match(answer, /Content-Length: 32\r\n/);
  assert.ok(answer.endsWith('\r\n\r\n'));
});

test('MatrixErrors become their status and body, with Retry-After', async (t) => {
  const limited = declare({
    ...base,
    operation: 'limited',
    method: 'GET',
    paths: ['/limited'],
    handle() {
      throw new MatrixError('M_LIMIT_EXCEEDED', 'slow down', { extra: { retry_after_ms: 1500 } });
    },
  });
  const { url } = await startTestServer(t, [limited]);
  const response = await fetch(`${url}/limited`);
  assert.equal(response.status, 429);
  assert.equal(response.headers.get('retry-after'), '2');
  assert.deepEqual(await json(response), {
    errcode: 'M_LIMIT_EXCEEDED',
    error: 'slow down',
    retry_after_ms: 1500,
  });
});

test('a bug is answered with 500, logged once with its request, and told to nobody', async (t) => {
  const broken = declare({
    ...base,
    operation: 'broken',
    method: 'GET',
    paths: ['/broken'],
    handle() {
      throw new TypeError('secret detail');
    },
  });
  const unserialisable = declare({
    ...base,
    operation: 'unserialisable',
    method: 'GET',
    paths: ['/unserialisable'],
    handle: () => ({ count: 1n }),
  });
  const badHeader = declare({
    ...base,
    operation: 'badHeader',
    method: 'GET',
    paths: ['/bad-header'],
    handle: () => new Reply(200, {}, { 'X-Bad': 'a\r\nb' }),
  });
  const { url, logged } = await startTestServer(t, [broken, unserialisable, badHeader]);
  for (const path of ['/broken?access_token=hidden', '/unserialisable', '/bad-header']) {
    const response = await fetch(url + path);
    assert.equal(response.status, 500);
    assert.deepEqual(await json(response), {
      errcode: 'M_UNKNOWN',
      error: 'Internal server error',
    });
    const bugs = logged.filter((line) => line['level'] === 'error');
    assert.equal(bugs.length, 1);
    assert.equal(bugs[0]!['request'], response.headers.get('x-request-id'));
    assert.match((bugs[0]!['err'] as { stack: string }).stack, /Error/);
    assert.doesNotMatch(JSON.stringify(logged), /hidden/);
    logged.length = 0;
  }
});

test('without a database the answer is 503; text it cannot keep is the client’s fault', async (t) => {
  const failing = declare({
    ...base,
    operation: 'failing',
    method: 'GET',
    paths: ['/failing/:name'],
    handle({ params }) {
      const error = new Error('refused');
      throw Object.assign(error, params['name'] === 'nul' ? { code: '22021' } : params);
    },
  });
  const { url } = await startTestServer(t, [failing]);
  assert.equal((await fetch(`${url}/failing/DatabaseUnavailable`)).status, 503);
  const nul = await fetch(`${url}/failing/nul`);
  assert.equal(nul.status, 400);
  assert.equal((await json(nul))['errcode'], 'M_INVALID_PARAM');
});

const whoAmI = (auth: 'optional' | 'user' | 'admin' | 'appservice') =>
  declare({
    ...base,
    auth,
    operation: auth,
    method: 'GET',
    paths: [`/${auth}`],
    handle: ({ requester }) => ({ user: requester?.userId ?? null }),
  });

test('who may call what', async (t) => {
  const asked: unknown[] = [];
  const { url } = await startTestServer(
    t,
    [whoAmI('optional'), whoAmI('user'), whoAmI('admin'), whoAmI('appservice')],
    {
      authenticate(token, _query, _origin, options) {
        asked.push(options);
        const requester = requesters[token ?? ''];
        if (!requester) throw new MatrixError('M_MISSING_TOKEN', 'Missing access token');
        return token === 'admin' ? Promise.resolve(requester) : requester;
      },
    },
  );
  const ask = async (path: string, token: string | null) => {
    const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
    const response = await fetch(url + path, { headers });
    const body = await json(response);
    return body['user'] ?? body['errcode'] ?? null;
  };
  assert.equal(await ask('/optional', null), null);
  assert.equal(await ask('/optional', 'alice'), '@alice:test');
  assert.equal(await ask('/optional', 'stranger'), 'M_MISSING_TOKEN');
  assert.equal(await ask('/user', null), 'M_MISSING_TOKEN');
  assert.equal(await ask('/user?access_token=alice', null), '@alice:test');
  assert.equal(await ask('/admin', 'alice'), 'M_FORBIDDEN');
  assert.equal(await ask('/admin', 'admin'), '@admin:test');
  assert.equal(await ask('/appservice', 'admin'), 'M_FORBIDDEN');
  assert.equal(await ask('/appservice', 'bridge'), '@bridge:test');
  assert.deepEqual(asked[0], { guests: true, locked: false, expired: false });
  assert.deepEqual(asked[2], { guests: false, locked: false, expired: false });
});

test('limits are by user or address; application services may be free of them', async (t) => {
  const limited = (auth: 'user' | 'none') =>
    declare({
      ...base,
      auth,
      rateLimit: 'message',
      operation: auth,
      method: 'GET',
      paths: [`/${auth}`],
      handle: () => ({}),
    });
  const { url } = await startTestServer(t, [limited('user'), limited('none')], {
    limits: { message: { perSecond: 1, burst: 1 } },
  });
  const status = async (path: string) => (await fetch(url + path)).status;
  assert.equal(await status('/user?access_token=alice'), 200);
  assert.equal(await status('/user?access_token=alice'), 429);
  assert.equal(await status('/user?access_token=admin'), 200);
  assert.equal(await status('/none'), 200);
  assert.equal(await status('/none'), 429);
  for (let i = 0; i < 3; i++) assert.equal(await status('/user?access_token=bridge'), 200);
});

test('the access log and the metrics tell of each request', async (t) => {
  const { url, logged, metrics } = await startTestServer(t, [whoAmI('user')]);
  await fetch(`${url}/user?access_token=alice`);
  await fetch(`${url}/elsewhere`);
  // Both are written after the answer has left.
  await fetch(`${url}/user?access_token=admin`);
  const [first, second] = logged.filter((line) => line['msg'] === 'request');
  assert.equal(first!['user'], '@alice:test');
  assert.equal(first!['status'], 200);
  assert.equal(first!['path'], '/user');
  assert.match(String(first!['request']), /^GET-\d+$/);
  assert.equal(second!['status'], 404);
  const text = await metrics.registry.metrics();
  assert.match(text, /received_total{method="GET",servlet="user"} 2\n/);
  assert.match(text, /received_total{method="GET",servlet="unrecognized"} 1\n/);
  assert.match(text, /synapse_http_server_response_time_seconds_count{.*code="404".*} 1\n/);
  assert.match(text, /in_flight_requests_count{method="GET",servlet="user"} 0\n/);
  assert.match(text, /^process_cpu_user_seconds_total /m);
  assert.match(text, /^nodejs_eventloop_utilization (0|1|0\.\d+)$/m);
  assert.doesNotMatch(text, /_lag_p99_/);
  assert.match(text, /^synapse_build_info{version="/m);
});
