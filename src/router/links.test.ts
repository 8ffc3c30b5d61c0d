import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRpcServer } from '../cluster/rpc/server.ts';
import type { HttpResponse, WholeRequest } from '../http/exchange.ts';
import { createLog } from '../kernel/log.ts';
import { createLinkServer } from '../link/link-server.ts';
import type { UpstreamOptions } from '../routing/upstream.ts';
import { startTestRouter } from './test-workers.ts';

const secret = 'a secret';
const send = '/_matrix/client/v3/rooms/!a%3Ab/send/m.room.message/1';
const post = '/_matrix/client/v3/rooms/!a%3Ab/join';
const upload = '/_matrix/media/v3/upload';

interface LinkedWorker extends UpstreamOptions {
  /** What came over the link. */
  linked: WholeRequest[];
  /** What came by HTTP, checks of health not among it. */
  byHttp: () => number;
  /** Breaks the link. */
  breakLink(): Promise<void>;
  /** Reads nothing more from the link. */
  stall(): void;
}

const echo = (id: string) => (req: WholeRequest, res: HttpResponse) => {
  const { method, url, headers } = req;
  res.writeHead(200, { 'Content-Type': 'application/json', 'X-Way': 'link' });
  res.end(JSON.stringify({ id, method, url, headers, body: req.wholeBody.toString() }));
};

/** A worker with both ways to it. By HTTP it says just that. */
async function startLinkedWorker(
  t: TestContext,
  id: string,
  answer: (req: WholeRequest, res: HttpResponse) => void = echo(id),
): Promise<LinkedWorker> {
  const linked: WholeRequest[] = [];
  let byHttp = 0;
  const http = createServer((req, res) => {
    req.resume();
    if (req.url !== '/health') byHttp++;
    req.on('end', () => res.setHeader('X-Way', 'http').end(id));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const links = createLinkServer((req, res) => {
    linked.push(req);
    answer(req, res);
  });
  const log = createLog('error');
  const sockets: Socket[] = [];
  const rpc = createRpcServer(
    secret,
    async () => null,
    log,
    (socket) => {
      sockets.push(socket);
      links.accept(socket);
    },
  );
  rpc.server.listen(0, '127.0.0.1');
  await once(rpc.server, 'listening');
  t.after(async () => {
    http.closeAllConnections();
    http.close();
    await rpc.close();
  });
  const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;
  return {
    id,
    app: 'generic_worker',
    state: 'live',
    address: { host: '127.0.0.1', port: portOf(http) },
    link: `127.0.0.1:${portOf(rpc.server)}`,
    linked,
    byHttp: () => byHttp,
    breakLink: () => links.close(0),
    stall: () => sockets.forEach((socket) => socket.pause()),
  };
}

/** Asks until requests go over the link: it is opened beside the first ones. */
async function untilLinked(url: string): Promise<void> {
  while ((await fetch(url)).headers.get('x-way') !== 'link') await sleep(5);
}

test('short requests go over a link once there is one, as they would by HTTP', async (t) => {
  const worker = await startLinkedWorker(t, 'w1');
  const { url } = await startTestRouter(t, [worker], { linkSecret: secret });
  await untilLinked(`${url}${post}`);
  const res = await fetch(`${url}${send}?x=%20y`, {
    method: 'PUT',
    body: '{"body":"ü"}',
    headers: { 'X-Custom': 'A', 'X-Forwarded-For': '6.6.6.6' },
  });
  const got = (await res.json()) as {
    method: string;
    url: string;
    body: string;
    headers: Record<string, string>;
  };
  assert.deepEqual([got.method, got.url, got.body], ['PUT', `${send}?x=%20y`, '{"body":"ü"}']);
  const { headers } = got;
  assert.deepEqual(
    [headers['x-custom'], headers['x-forwarded-for'], headers['x-forwarded-proto']],
    ['A', '127.0.0.1', 'http'],
  );
  assert.equal(headers['connection'], undefined);
});

test('what is long, of no known length, or media goes by HTTP', async (t) => {
  const worker = await startLinkedWorker(t, 'w1');
  const { url, port } = await startTestRouter(t, [worker], { linkSecret: secret });
  await untilLinked(`${url}${post}`);
  const wayOf = (path: string, body: string) =>
    fetch(`${url}${path}`, { method: 'POST', body }).then((res) => res.headers.get('x-way'));
  assert.equal(await wayOf(post, 'x'.repeat(64 * 1024)), 'link');
  assert.equal(await wayOf(post, 'x'.repeat(64 * 1024 + 1)), 'http');
  assert.equal(await wayOf(upload, 'x'), 'http');
  const chunked = request({ port, path: post, method: 'POST' });
  chunked.write('a');
  chunked.end('b');
  const [res] = (await once(chunked, 'response')) as [IncomingMessage];
  assert.equal(res.headers['x-way'], 'http');
  res.resume();
});

test('without the secret everything goes by HTTP', async (t) => {
  const worker = await startLinkedWorker(t, 'w1');
  for (const linkSecret of [null, 'another']) {
    const { url } = await startTestRouter(t, [worker], { linkSecret });
    for (let i = 0; i < 5; i++) {
      assert.equal((await fetch(`${url}${post}`)).headers.get('x-way'), 'http');
    }
  }
  assert.equal(worker.linked.length, 0);
});

test('a link that breaks: what can be repeated is, the rest gets 502', async (t) => {
  for (const [method, path, status] of [
    ['PUT', send, 200],
    ['POST', post, 502],
  ] as const) {
    const broken = await startLinkedWorker(t, 'broken', (req, res) => {
      if (req.method === method) void broken.breakLink();
      else echo('broken')(req, res);
    });
    const other = await startLinkedWorker(t, 'other');
    const { url } = await startTestRouter(t, [broken, other], {
      linkSecret: secret,
      prefer: () => 'broken',
    });
    await untilLinked(`${url}${post}`);
    const res = await fetch(`${url}${path}`, { method, body: '{}' });
    assert.equal(res.status, status, method);
    if (status === 200) assert.equal(await res.text(), 'other');
    else await res.body?.cancel();
    assert.equal(broken.linked.filter((req) => req.method === method).length, 1);
  }
});

test('a link that breaks counts once against its worker, however many requests it had', async (t) => {
  const waiting: HttpResponse[] = [];
  const worker = await startLinkedWorker(t, 'w1', (req, res) => {
    if (req.method === 'POST') waiting.push(res);
    else echo('w1')(req, res);
  });
  const { url, logged } = await startTestRouter(t, [worker], { linkSecret: secret });
  await untilLinked(`${url}${post}`);
  const asked = Array.from({ length: 10 }, () =>
    fetch(`${url}${post}`, { method: 'POST', body: '{}' }),
  );
  while (waiting.length < asked.length) await sleep(5);
  await worker.breakLink();
  for (const res of await Promise.all(asked)) {
    assert.equal(res.status, 502);
    // oxlint-disable-next-line no-await-in-loop
    await res.body?.cancel();
  }
  assert.equal((await fetch(`${url}${post}`)).status, 200);
  assert.deepEqual(
    logged.filter(({ level }) => level === 'warn'),
    [],
  );
});

test('a worker that takes no more requests over its link is reached by HTTP', async (t) => {
  const worker = await startLinkedWorker(t, 'w1');
  const { url } = await startTestRouter(t, [worker], { linkSecret: secret });
  await untilLinked(`${url}${post}`);
  await worker.breakLink();
  const before = worker.linked.length;
  for (let i = 0; i < 5; i++) {
    const res = await fetch(`${url}${post}`);
    assert.deepEqual([res.status, res.headers.get('x-way')], [200, 'http']);
  }
  assert.equal(worker.linked.length, before);
});

test('a client that goes away is told to the worker', async (t) => {
  const gone: string[] = [];
  const worker = await startLinkedWorker(t, 'w1', (req, res) => {
    if (req.method === 'PUT') res.on('close', () => gone.push(req.url));
    else echo('w1')(req, res);
  });
  const { url } = await startTestRouter(t, [worker], { linkSecret: secret });
  await untilLinked(`${url}${post}`);
  const controller = new AbortController();
  const asked = fetch(`${url}${send}`, { method: 'PUT', body: '{}', signal: controller.signal });
  while (!worker.linked.some(({ method }) => method === 'PUT')) await sleep(5);
  controller.abort();
  await assert.rejects(asked);
  while (gone.length === 0) await sleep(5);
  assert.deepEqual(gone, [send]);
});

test('answers of any length pass, also to clients that read late', async (t) => {
  const bytes = 5 * 1024 * 1024;
  const worker = await startLinkedWorker(t, 'w1', (req, res) => {
    if (req.method === 'GET') return echo('w1')(req, res);
    res.writeHead(200, {});
    res.end(Buffer.alloc(bytes, 'x'));
  });
  const { url, port } = await startTestRouter(t, [worker], { linkSecret: secret });
  await untilLinked(`${url}${post}`);
  const late = request({ port, path: send, method: 'PUT' }).end('{}');
  const [res] = (await once(late, 'response')) as [IncomingMessage];
  assert.equal((await fetch(`${url}${post}`)).headers.get('x-way'), 'link');
  let got = 0;
  for await (const chunk of res) got += (chunk as Buffer).length;
  assert.equal(got, bytes);
});

test('an answer that is no HTTP fails for its client alone', async (t) => {
  const waiting: HttpResponse[] = [];
  const worker = await startLinkedWorker(t, 'w1', (req, res) => {
    if (req.method === 'GET') return echo('w1')(req, res);
    if (req.method === 'PUT') {
      waiting.push(res);
      return;
    }
    res.writeHead(42, {});
    res.end('x');
  });
  const { url } = await startTestRouter(t, [worker], { linkSecret: secret });
  await untilLinked(`${url}${post}`);
  const other = fetch(`${url}${send}`, { method: 'PUT', body: '{}' });
  while (waiting.length === 0) await sleep(5);
  const res = await fetch(`${url}${post}`, { method: 'POST', body: '{}' });
  assert.equal(res.status, 502);
  await res.body?.cancel();
  waiting[0]!.writeHead(200, {});
  waiting[0]!.end('well');
  assert.equal(await (await other).text(), 'well');
});

test('a worker that stops reading its link is reached by HTTP before memory fills', async (t) => {
  const worker = await startLinkedWorker(t, 'w1');
  const { url } = await startTestRouter(t, [worker], { linkSecret: secret });
  await untilLinked(`${url}${post}`);
  worker.stall();
  const stopped = new AbortController();
  const options = { method: 'POST', body: 'x'.repeat(64 * 1024), signal: stopped.signal };
  const asked = Array.from({ length: 500 }, () => fetch(`${url}${post}`, options));
  const first = await Promise.any(asked);
  assert.equal(first.headers.get('x-way'), 'http');
  stopped.abort();
  await Promise.allSettled(asked);
});
