import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Type } from 'typebox';
import {
  base,
  declare,
  deferred,
  exchange,
  readAll,
  startTestServer,
  type TestServer,
} from './test-server.ts';

const echo = declare({
  ...base,
  operation: 'echo',
  method: 'PUT',
  paths: ['/echo'],
  bodyBytesMax: 1000,
  handle: ({ body }) => body,
});
const optional = declare({
  ...base,
  operation: 'optional',
  method: 'POST',
  paths: ['/optional'],
  bodyMode: 'optional',
  handle: ({ body }) => ({ body }),
});

async function put({ url }: TestServer, body: string | Uint8Array<ArrayBuffer>) {
  const response = await fetch(`${url}/echo`, { method: 'PUT', body });
  const answer = (await response.json()) as Record<string, unknown>;
  return { status: response.status, code: answer['errcode'] ?? null, answer };
}

const head = 'PUT /echo HTTP/1.1\r\nHost: x\r\n';
const chunked = `${head}Transfer-Encoding: chunked\r\n`;

test('what is not JSON, not an object, or not UTF-8 is told apart', async (t) => {
  const server = await startTestServer(t, [echo]);
  for (const text of ['', '{', '{"a":1}x', "{'a':1}", 'undefined']) {
    assert.deepEqual(
      (({ status, code }) => ({ status, code }))(await put(server, text)),
      { status: 400, code: 'M_NOT_JSON' },
      text,
    );
  }
  assert.equal((await put(server, Uint8Array.of(0x22, 0xff, 0x22))).code, 'M_NOT_JSON');
  for (const text of ['[]', '1', 'null', '"a"']) {
    assert.equal((await put(server, text)).code, 'M_BAD_JSON', text);
  }
  assert.deepEqual((await put(server, '{"é":"😀"}')).answer, { é: '😀' });
});

test('JSON that is nested too deeply is refused, however it is nested', async (t) => {
  const server = await startTestServer(t, [echo]);
  const nested = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  assert.equal((await put(server, nested(100))).status, 200);
  assert.equal((await put(server, nested(400))).code, 'M_BAD_JSON');
});

test('members named like those of objects are members like others', async (t) => {
  const server = await startTestServer(t, [echo]);
  const text = '{"__proto__":{"isAdmin":true},"constructor":1}';
  assert.equal(JSON.stringify((await put(server, text)).answer), text);
});

test('only optional bodies may be empty', async (t) => {
  const { url } = await startTestServer(t, [optional]);
  const post = (body?: string) => fetch(`${url}/optional`, { method: 'POST', body: body ?? null });
  assert.deepEqual(await (await post()).json(), { body: {} });
  assert.equal((await post('[]')).status, 400);
});

test('chunked bodies are read to their end', async (t) => {
  const { port } = await startTestServer(t, [echo]);
  const answer = await exchange(
    port,
    `${chunked}Connection: close\r\n\r\n4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n`,
  );
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.match(answer, /\{"a":1\}$/);
});

test('a body of the largest size passes, one byte more does not', async (t) => {
  const server = await startTestServer(t, [echo]);
  const sized = (bytes: number) => `{"a":"${'x'.repeat(bytes - 8)}"}`;
  assert.equal((await put(server, sized(1000))).status, 200);
  const { status, code } = await put(server, sized(1001));
  assert.deepEqual({ status, code }, { status: 413, code: 'M_TOO_LARGE' });
});

test('a body announced too large is answered before it is sent', async (t) => {
  const { port } = await startTestServer(t, [echo]);
  const socket = connect(port, '127.0.0.1');
  const answer = readAll(socket);
  const answered = deferred<string>();
  socket.once('data', answered.resolve);
  socket.write(`${head}Content-Length: 9000000\r\n\r\n`);
  assert.match(await answered.promise, /^HTTP\/1\.1 413 /);
  socket.end();
  assert.match(await answer, /Connection: close\r\n/);
});

test('who sends too much gets the whole answer, not a reset', async (t) => {
  const { port } = await startTestServer(t, [echo]);
  const bytes = 4_000_000;
  for (const framing of [
    `Content-Length: ${bytes}\r\n\r\n${'x'.repeat(bytes)}`,
    `Transfer-Encoding: chunked\r\n\r\n${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n0\r\n\r\n`,
  ]) {
    const answer = await exchange(port, head + framing);
    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.match(answer, /"errcode":"M_TOO_LARGE"/);
  }
});

test('requests sent together on one connection are answered in order', async (t) => {
  const { port } = await startTestServer(t, [echo]);
  const one = (i: number, last = false) =>
    `${head}${last ? 'Connection: close\r\n' : ''}Content-Length: 7\r\n\r\n{"a":${i}}`;
  const answer = await exchange(port, one(1) + one(2) + one(3, true));
  assert.deepEqual(
    [...answer.matchAll(/\{"a":(\d)\}/g)].map(([, i]) => i),
    ['1', '2', '3'],
  );
});

test('a refused request does not disturb the next on its connection', async (t) => {
  const typed = declare({
    ...base,
    operation: 'typed',
    method: 'PUT',
    paths: ['/typed'],
    rateLimit: 'message',
    body: Type.Object({ a: Type.Integer() }),
    handle: ({ body }) => body,
  });
  const { port } = await startTestServer(t, [typed, echo], {
    limits: { message: { perSecond: 1, burst: 1 } },
  });
  const send = (path: string, body: string, more = '') =>
    `PUT ${path} HTTP/1.1\r\nHost: x\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;
  const answer = await exchange(
    port,
    send('/typed', '{"a":"x"}') + // refused after its body was read
      send('/typed', '{"a":1}') + // refused before, by the limit
      send('/nowhere', '{"a":2}') +
      send('/echo', '{"a":3}', 'Connection: close\r\n'),
  );
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  assert.deepEqual(statuses, ['400', '429', '404', '200']);
  assert.match(answer, /\{"a":3\}$/);
});

test('malformed HTTP ends its connection only', async (t) => {
  const { port, url } = await startTestServer(t, [echo]);
  assert.match(await exchange(port, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /);
  const both = `${chunked}Content-Length: 5\r\nConnection: close\r\n\r\n0\r\n\r\n`;
  assert.match(await exchange(port, both), /^HTTP\/1\.1 400 /);
  assert.equal((await fetch(`${url}/echo`, { method: 'PUT', body: '{}' })).status, 200);
});

test('a client that leaves in the middle of its body leaves nothing behind', async (t) => {
  const { port, metrics, logged } = await startTestServer(t, [echo]);
  const socket = connect(port, '127.0.0.1');
  socket.write(`${head}Content-Length: 100\r\n\r\n{"a"`, () => socket.destroy());
  await untilNoneUnderWay(metrics, 'echo');
  assert.deepEqual(
    logged.filter(({ level }) => level === 'error'),
    [],
  );
});

test('a client that leaves while its token is looked up leaves nothing behind', async (t) => {
  const asked = deferred<void>();
  const found = deferred<never>();
  const guarded = declare({
    ...base,
    auth: 'user',
    operation: 'guarded',
    method: 'PUT',
    paths: ['/guarded'],
    handle: () => assert.fail('the handler must not run'),
  });
  const { port, metrics, logged } = await startTestServer(t, [guarded], {
    authenticate() {
      asked.resolve();
      return found.promise;
    },
  });
  const socket = connect(port, '127.0.0.1');
  socket.write('PUT /guarded HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{');
  await asked.promise;
  const closed = readAll(socket);
  socket.destroy();
  await closed;
  // A request on a new connection is served after the server has seen the old one close.
  await exchange(port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  found.resolve({ userId: '@a:b', appservice: null } as never);
  await untilNoneUnderWay(metrics, 'guarded');
  assert.deepEqual(
    logged.filter(({ level }) => level === 'error'),
    [],
  );
});

/** Waits for what must come; the test's own time limit is the only one. */
async function untilNoneUnderWay(metrics: TestServer['metrics'], servlet: string): Promise<void> {
  const ended = new RegExp(`response_count_total\\{method="PUT",servlet="${servlet}",tag=""\\} 1`);
  while (!ended.test(await metrics.registry.metrics())) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  const text = await metrics.registry.metrics();
  assert.match(
    text,
    new RegExp(`in_flight_requests_count\\{method="PUT",servlet="${servlet}"\\} 0`),
  );
}
