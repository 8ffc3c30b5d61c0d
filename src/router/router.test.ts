import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request, type IncomingMessage } from 'node:http';
import { request as secureRequest } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTestCertificate } from '../http/test-certificate.ts';
import { loopback, startTestRouter, startTestWorker } from './test-workers.ts';

interface Echo {
  id: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}
const sync = '/_matrix/client/v3/sync?since=s1';
const post = '/_matrix/client/v3/rooms/!a%3Ab/join';
const send = '/_matrix/client/v3/rooms/!a%3Ab/send/m.room.message/';

async function textOf(res: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of res.setEncoding('utf8')) text += String(chunk);
  return text;
}

test('requests and answers pass unchanged, but for headers of the connection', async (t) => {
  const worker = await startTestWorker(t, 'w1');
  const { url } = await startTestRouter(t, [worker]);
  const res = await fetch(`${url}${send}1?x=%20y`, {
    method: 'PUT',
    body: '{"body":"ü"}',
    headers: { 'X-Custom': 'A', 'X-Forwarded-For': '6.6.6.6', 'X-Forwarded-Proto': 'https' },
  });
  assert.equal(res.status, 200);
  const got = (await res.json()) as Echo;
  assert.deepEqual([got.method, got.url, got.body], ['PUT', `${send}1?x=%20y`, '{"body":"ü"}']);
  assert.equal(got.headers['x-custom'], 'A');
  assert.equal(got.headers['host'], new URL(url).host);
  assert.equal(got.headers['x-forwarded-for'], '127.0.0.1');
  assert.equal(got.headers['x-forwarded-proto'], 'http');
});

test('behind a proxy its X-Forwarded headers are continued', async (t) => {
  const worker = await startTestWorker(t, 'w1');
  const listeners = [{ ...loopback, isForwarded: true }];
  const { url } = await startTestRouter(t, [worker], { listeners });
  const headers = { 'X-Forwarded-For': '1.2.3.4', 'X-Forwarded-Proto': 'https' };
  const got = (await (await fetch(`${url}${sync}`, { headers })).json()) as Echo;
  assert.equal(got.headers['x-forwarded-for'], '1.2.3.4, 127.0.0.1');
  assert.equal(got.headers['x-forwarded-proto'], 'https');
});

test('headers that `Connection` names stay behind', async (t) => {
  const worker = await startTestWorker(t, 'w1');
  const { port } = await startTestRouter(t, [worker]);
  const headers = { Connection: 'close, X-Hop', 'X-Hop': '1', TE: 'trailers', 'X-Kept': '1' };
  const req = request({ port, path: sync, headers }).end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  const got = JSON.parse(await textOf(res)) as Echo;
  assert.deepEqual(
    [got.headers['x-hop'], got.headers['te'], got.headers['x-kept']],
    [undefined, undefined, '1'],
  );
});

test('nobody can smuggle a request in a body by naming its length after `Connection`', async (t) => {
  const worker = await startTestWorker(t, 'w1');
  const { port } = await startTestRouter(t, [worker]);
  const inner = 'GET /_matrix/client/versions HTTP/1.1\r\nHost: a\r\n\r\n';
  const headers = { Connection: 'close, Content-Length, Host', 'Content-Length': inner.length };
  const req = request({ port, path: post, method: 'POST', headers }).end(inner);
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  assert.equal((JSON.parse(await textOf(res)) as Echo).body, inner);
  assert.equal(worker.requests.length, 1);
});

test('an answer reaches the client piece by piece', async (t) => {
  const parts = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const worker = await startTestWorker(t, 'w1', async (_req, res) => {
    res.write('first');
    await parts[0]!.promise;
    res.write('second');
    await parts[1]!.promise;
    res.end('third');
  });
  const { url } = await startTestRouter(t, [worker]);
  const { body } = await fetch(`${url}${sync}`);
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await reader.read()).value, 'first');
  parts[0]!.resolve();
  assert.equal((await reader.read()).value, 'second');
  parts[1]!.resolve();
  assert.equal((await reader.read()).value, 'third');
  assert.equal((await reader.read()).done, true);
});

test('a request reaches the worker piece by piece, with and without a length', async (t) => {
  const seen = new EventTarget();
  const worker = await startTestWorker(t, 'w1', (req, res) => {
    req.on('data', (chunk: Buffer) =>
      seen.dispatchEvent(new CustomEvent('data', { detail: chunk.toString() })),
    );
    req.on('end', () => res.end('done'));
  });
  const { port } = await startTestRouter(t, [worker]);
  for (const headers of [{}, { 'Content-Length': '6' }]) {
    const req = request({ port, path: '/_matrix/media/v3/upload', method: 'POST', headers });
    for (const part of ['abc', 'def']) {
      const arrived = once(seen, 'data');
      req.write(part);
      assert.equal(((await arrived)[0] as CustomEvent<string>).detail, part);
    }
    req.end();
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    assert.equal(await textOf(res), 'done');
  }
});

test('big bodies pass both ways, and a slow reader holds up the worker', async (t) => {
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  let written = 0;
  const worker = await startTestWorker(t, 'w1', async (req, res) => {
    let bytes = 0;
    for await (const part of req) bytes += (part as Buffer).length;
    res.writeHead(200, { 'X-Bytes': String(bytes) });
    for (let i = 0; i < 64; i++) {
      written++;
      if (!res.write(chunk)) await once(res, 'drain');
    }
    res.end();
  });
  const { port } = await startTestRouter(t, [worker]);
  const req = request({ port, path: '/_matrix/media/v3/upload', method: 'POST' });
  for (let i = 0; i < 32; i++) if (!req.write(chunk)) await once(req, 'drain');
  req.end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  assert.equal(res.headers['x-bytes'], String(32 * chunk.length));
  // Nothing is read here, so the worker must come to a halt.
  for (let before = -1; before !== written; await sleep(50)) before = written;
  assert.ok(written < 64, `${written} MiB were taken off the worker`);
  let bytes = 0;
  for await (const part of res) bytes += (part as Buffer).length;
  assert.equal(bytes, 64 * chunk.length);
});

test('a client that goes away is noticed by the worker', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const worker = await startTestWorker(t, 'w1', (_req, res) => {
    res.on('close', gone.resolve);
    arrived.resolve();
  });
  const { url } = await startTestRouter(t, [worker]);
  const aborting = new AbortController();
  const answer = fetch(`${url}${sync}&timeout=30000`, { signal: aborting.signal });
  await arrived.promise;
  aborting.abort();
  await assert.rejects(answer);
  await gone.promise;
});

test('an answer that comes before the end of the request reaches the client', async (t) => {
  const worker = await startTestWorker(t, 'w1', (_req, res) => {
    res.writeHead(413, { 'Content-Type': 'application/json', Connection: 'close' });
    res.end('{"errcode":"M_TOO_LARGE"}');
  });
  const { port } = await startTestRouter(t, [worker]);
  const headers = { 'Content-Length': '1000000' };
  const req = request({ port, path: '/_matrix/media/v3/upload', method: 'POST', headers });
  req.on('error', () => undefined);
  req.write('x'.repeat(1000));
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  assert.equal(res.statusCode, 413);
  assert.equal(res.headers.connection, 'close');
  req.end('x'.repeat(999_000));
  assert.equal(await textOf(res), '{"errcode":"M_TOO_LARGE"}');
});

test('connections to workers and to clients are used again', async (t) => {
  const ports = new Set<number>();
  const worker = await startTestWorker(t, 'w1', (req, res) => {
    ports.add(req.socket.remotePort!);
    res.end('ok');
  });
  const { port } = await startTestRouter(t, [worker]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  for (let i = 0; i < 20; i++) {
    const req = request({ port, path: sync, agent }).end();
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    assert.equal(await textOf(res), 'ok');
  }
  assert.equal(ports.size, 1);
});

test('many at once', async (t) => {
  const workers = await Promise.all(['w1', 'w2', 'w3'].map((id) => startTestWorker(t, id)));
  const { url, metrics } = await startTestRouter(t, workers);
  const users = Array.from({ length: 300 }, (_, i) => `user${i}`);
  const placed = await Promise.all(
    users.map(async (user) => {
      const token = `syt_${Buffer.from(user).toString('base64')}_x_y`;
      const headers = { Authorization: `Bearer ${token}` };
      const answers = await Promise.all(
        [1, 2, 3].map(async (n) => {
          const res = await fetch(`${url}${sync}&n=${n}`, { headers });
          return (await res.json()) as Echo;
        }),
      );
      assert.ok(answers.every(({ headers: h }) => h['authorization'] === headers.Authorization));
      return new Set(answers.map(({ id }) => id));
    }),
  );
  assert.ok(
    placed.every((ids) => ids.size === 1),
    'a user stays with a worker',
  );
  assert.equal(new Set(placed.flatMap((ids) => [...ids])).size, 3);
  const text = await metrics.registry.metrics();
  assert.match(
    text,
    /lattice_router_requests_total\{app="generic_worker",group="sync",code="200"\} 900/,
  );
  assert.match(text, /lattice_router_worker_pending\{worker="w1",app="generic_worker"\} 0/);
});

test('HEAD, 204 and HTTP/1.0 clients', async (t) => {
  const worker = await startTestWorker(t, 'w1', (req, res) => {
    if (req.method === 'DELETE') res.writeHead(204).end();
    else res.end('hello');
  });
  const { url, port } = await startTestRouter(t, [worker]);
  const head = await fetch(`${url}/_matrix/client/versions`, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
  const deleted = await fetch(`${url}/_matrix/client/v3/devices`, { method: 'DELETE' });
  assert.equal(deleted.status, 204);
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /_matrix/client/versions HTTP/1.0\r\n\r\n');
  const answer = await textOf(socket as unknown as IncomingMessage);
  assert.match(answer, /^HTTP\/1\.1 200 OK[^]*\r\n\r\nhello$/);
});

test('workers on unix sockets, listeners with TLS and on unix sockets', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'router-'));
  t.after(() => rm(folder, { recursive: true }));
  const socketPath = join(folder, 'worker.sock');
  const worker = await startTestWorker(t, 'w1', undefined, { socketPath });
  const path = join(folder, 'router.sock');
  const tls = createTestCertificate();
  const listeners = [
    { ...loopback, tls },
    { ...loopback, at: { path, mode: 0o600 } },
  ];
  const { port } = await startTestRouter(t, [worker], { listeners });
  for (const req of [
    secureRequest({ port, path: sync, ca: tls.certificate, servername: 'localhost' }),
    request({ socketPath: path, path: sync }),
  ]) {
    const [res] = (await once(req.end(), 'response')) as [IncomingMessage];
    const got = JSON.parse(await textOf(res)) as Echo;
    assert.equal(got.headers['x-forwarded-proto'], req.protocol.slice(0, -1));
  }
});

test('a listener gives only what it offers', async (t) => {
  const worker = await startTestWorker(t, 'w1');
  const listeners = [{ ...loopback, resources: ['federation' as const] }];
  const { url } = await startTestRouter(t, [worker], { listeners });
  const client = await fetch(`${url}${sync}`);
  assert.equal(client.status, 404);
  assert.equal(((await client.json()) as { errcode: string }).errcode, 'M_UNRECOGNIZED');
  assert.equal((await fetch(`${url}/_matrix/federation/v1/version`)).status, 200);
  assert.equal(worker.requests.length, 1);
});

test('no spelling of their paths reaches what processes answer for themselves', async (t) => {
  const worker = await startTestWorker(t, 'w1');
  const listeners = [{ ...loopback, resources: ['client' as const] }];
  const { port } = await startTestRouter(t, [worker], { listeners });
  for (const path of [
    '/health',
    '/_synapse/metrics',
    '/_synapse/metrics/',
    '/_synapse/metrics?x=y',
    '/_synapse/%6detrics',
    '/_synapse/metrics#x',
    'http://localhost/_synapse/metrics',
    '/%6Detrics',
  ]) {
    for (const method of ['GET', 'HEAD', 'POST']) {
      const req = request({ port, path, method }).end();
      const [res] = (await once(req, 'response')) as [IncomingMessage];
      res.resume();
      assert.equal(res.statusCode, 404, `${method} ${path}`);
    }
  }
  assert.equal(worker.requests.length, 0);
});

test('health and metrics are those of the router', async (t) => {
  const worker = await startTestWorker(t, 'w1');
  const { url, router } = await startTestRouter(t, [worker]);
  assert.equal((await fetch(`${url}/health`)).status, 200);
  const metrics = await (await fetch(`${url}/_synapse/metrics`)).text();
  assert.match(metrics, /lattice_router_worker_up\{worker="w1",app="generic_worker"\} 1/);
  router.setUpstreams([]);
  assert.equal((await fetch(`${url}/health`)).status, 503);
  assert.equal((await fetch(`${url}/_matrix/client/versions`)).status, 503);
  assert.equal(worker.requests.length, 0);
});
