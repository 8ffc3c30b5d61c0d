import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loopback, startTestRouter, startTestWorker } from './test-workers.ts';

const send = '/_matrix/client/v3/rooms/!a%3Ab/send/m.room.message/1';
const post = '/_matrix/client/v3/rooms/!a%3Ab/join';
const sync = '/_matrix/client/v3/sync?since=s1&access_token=t';

interface Failure {
  errcode: string;
  error: string;
}

/** Waits for something that is about to be. */
async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await sleep(10);
}

test('a worker that takes no connections is passed over, for any request', async (t) => {
  const dead = await startTestWorker(t, 'dead');
  const alive = await startTestWorker(t, 'alive');
  await dead.kill();
  const prefer = () => 'dead';
  const { url, logged, metrics } = await startTestRouter(t, [dead, alive], { prefer });
  const body = 'x'.repeat(500_000);
  const res = await fetch(`${url}${post}`, { method: 'POST', body });
  const got = (await res.json()) as { id: string; body: string };
  assert.deepEqual([got.id, got.body.length], ['alive', body.length]);
  assert.ok(logged.some(({ level, worker }) => level === 'warn' && worker === 'dead'));
  const text = await metrics.registry.metrics();
  assert.match(text, /lattice_router_retries_total\{app="generic_worker"\} 1/);
  assert.match(text, /lattice_router_worker_up\{worker="dead",app="generic_worker"\} 0/);
});

test('a worker killed between requests costs nothing', async (t) => {
  const first = await startTestWorker(t, 'first');
  const second = await startTestWorker(t, 'second');
  let preferred = 'first';
  const prefer = () => preferred;
  const { url } = await startTestRouter(t, [first, second], { prefer });
  assert.equal((await fetch(`${url}${post}`, { method: 'POST' })).status, 200);
  await first.kill();
  const res = await fetch(`${url}${post}`, { method: 'POST' });
  assert.equal(((await res.json()) as { id: string }).id, 'second');
  preferred = 'second';
  await first.revive();
});

test('a worker killed in the middle: what can be repeated is, the rest gets 502', async (t) => {
  const alive = await startTestWorker(t, 'alive');
  for (const [method, path, status] of [
    ['GET', sync, 200],
    ['PUT', send, 200],
    ['POST', post, 502],
    ['PUT', '/_matrix/client/v3/rooms/!a%3Ab/state/m.room.name', 502],
  ] as const) {
    const dying = await startTestWorker(t, 'dying', (req, res) => {
      req.resume();
      req.on('end', () => res.destroy());
    });
    const { url } = await startTestRouter(t, [dying, alive], { prefer: () => 'dying' });
    const body = method === 'GET' ? undefined : '{"a":1}';
    const res = await fetch(`${url}${path}`, { method, body });
    assert.equal(dying.requests.length, 1);
    const got = (await res.json()) as Failure & { id: string; body: string };
    assert.equal(res.status, status, `${method} ${path}`);
    if (status === 200) assert.deepEqual([got.id, got.body], ['alive', body ?? '']);
    else assert.equal(got.errcode, 'M_UNKNOWN');
    assert.equal(res.headers.get('access-control-allow-origin') ?? '*', '*');
  }
});

test('a body that is too long to be kept is not sent twice', async (t) => {
  const alive = await startTestWorker(t, 'alive');
  const dying = await startTestWorker(t, 'dying', (req, res) => {
    req.resume();
    req.on('end', () => res.destroy());
  });
  const { url } = await startTestRouter(t, [dying, alive], { prefer: () => 'dying' });
  const res = await fetch(`${url}${send}`, { method: 'PUT', body: 'x'.repeat(1_000_000) });
  assert.equal(res.status, 502);
  assert.equal(alive.requests.length, 0);
});

test('an answer that breaks off breaks off for the client, too', async (t) => {
  const dying = await startTestWorker(t, 'dying', (_req, res) => {
    res.writeHead(200, { 'Content-Length': '100' });
    res.write('half', () => res.destroy());
  });
  const other = await startTestWorker(t, 'other');
  const { url } = await startTestRouter(t, [dying, other], { prefer: () => 'dying' });
  const res = await fetch(`${url}${sync}`);
  assert.equal(res.status, 200);
  await assert.rejects(res.text());
  assert.equal(other.requests.length, 0);
});

test('a worker that speaks no HTTP is passed over', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write('SSH-2.0-no\r\n\r\n'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as { port: number };
  const strange = {
    id: 'strange',
    app: 'generic_worker' as const,
    address: { host: '127.0.0.1', port },
    state: 'live' as const,
  };
  const alive = await startTestWorker(t, 'alive');
  const { url } = await startTestRouter(t, [strange, alive], { prefer: () => 'strange' });
  assert.equal(((await (await fetch(`${url}${sync}`)).json()) as { id: string }).id, 'alive');
});

test('an answer that cannot be passed on ends one request and not the router', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nX: a\u0001b\r\nB\u0000: c\r\n\r\n'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const address = { host: '127.0.0.1', port };
  const strange = { id: 's', app: 'generic_worker' as const, address, state: 'live' as const };
  const { url, router } = await startTestRouter(t, [strange]);
  assert.equal((await fetch(`${url}${sync}`)).status, 502);
  router.setUpstreams([await startTestWorker(t, 'w1')]);
  assert.equal((await fetch(`${url}${sync}`)).status, 200);
});

test('a worker with an address that cannot be ends no process', async (t) => {
  const address = { host: '127.0.0.1', port: 99_999 };
  const wrong = { id: 'wrong', app: 'generic_worker' as const, address, state: 'live' as const };
  const { url, logged } = await startTestRouter(t, [wrong]);
  assert.equal((await fetch(`${url}${sync}`)).status, 502);
  assert.ok(logged.some(({ level }) => level === 'error'));
  assert.equal((await fetch(`${url}/health`)).status, 200);
});

test('no worker answers: 502; none is there: 503', async (t) => {
  const dead = await startTestWorker(t, 'dead');
  await dead.kill();
  const { url, router } = await startTestRouter(t, [dead]);
  const refused = await fetch(`${url}${send}`, { method: 'PUT', body: '{}' });
  assert.deepEqual(
    [refused.status, refused.headers.get('content-type')],
    [502, 'application/json'],
  );
  router.setUpstreams([]);
  const none = await fetch(`${url}${send}`, { method: 'PUT', body: '{}' });
  assert.deepEqual([none.status, none.headers.get('retry-after')], [503, '1']);
  assert.equal(((await none.json()) as Failure).errcode, 'M_UNKNOWN');
});

test('no answer in time: 504, and the worker is told; long polls may take what they asked for', async (t) => {
  const gone = Promise.withResolvers<void>();
  const worker = await startTestWorker(t, 'slow', (req, res) => {
    if (req.url!.includes('timeout=')) setTimeout(() => res.end('polled'), 600);
    else res.on('close', gone.resolve);
  });
  const limits = { answerTimeoutMs: 100 };
  const { url } = await startTestRouter(t, [worker], { limits });
  const late = await fetch(`${url}/_matrix/client/versions`);
  assert.equal(late.status, 504);
  await gone.promise;
  const polled = await fetch(`${url}${sync}&timeout=30000`);
  assert.equal(await polled.text(), 'polled');
});

test('an answer that stalls is broken off', async (t) => {
  const worker = await startTestWorker(t, 'stalling', (_req, res) => void res.write('half'));
  const { url } = await startTestRouter(t, [worker], { limits: { stallTimeoutMs: 100 } });
  const res = await fetch(`${url}${sync}`);
  await assert.rejects(res.text());
});

test('a worker that is back gets requests again', async (t) => {
  const worker = await startTestWorker(t, 'w1');
  const other = await startTestWorker(t, 'w2');
  const limits = { health: { ejectionMs: 20, ejectionMaxMs: 40 } };
  const { url, logged } = await startTestRouter(t, [worker, other], { limits, prefer: () => 'w1' });
  const idNow = async () => ((await (await fetch(`${url}${sync}`)).json()) as { id: string }).id;
  assert.equal(await idNow(), 'w1');
  await worker.kill();
  await until(async () => {
    assert.equal(await idNow(), 'w2');
    return logged.some(({ msg }) => msg === 'a worker gets no requests for now');
  });
  await worker.revive();
  await until(() => logged.some(({ msg }) => msg === 'a worker gets requests again'));
  assert.equal(await idNow(), 'w1');
});

test('a worker that hangs fails its checks', async (t) => {
  const other = await startTestWorker(t, 'other');
  const server = createServer((socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const address = { host: '127.0.0.1', port };
  const hanging = { id: 'h', app: 'generic_worker' as const, address, state: 'live' as const };
  const limits = { checkIntervalMs: 10, checkTimeoutMs: 30, health: { failuresMax: 1 } };
  const { url, logged } = await startTestRouter(t, [hanging, other], { limits });
  await until(() => logged.some(({ worker, level }) => worker === 'h' && level === 'warn'));
  const answers = await Promise.all(
    Array.from({ length: 10 }, async () => (await fetch(`${url}${sync}`)).status),
  );
  assert.deepEqual(new Set(answers), new Set([200]));
});

test('workers that drain or are gone finish what they do and get nothing new', async (t) => {
  const release = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const leaving = await startTestWorker(t, 'leaving', async (_req, res) => {
    arrived.resolve();
    await release.promise;
    res.end('finished');
  });
  const staying = await startTestWorker(t, 'staying');
  const { url, router } = await startTestRouter(t, [leaving]);
  const before = fetch(`${url}${sync}`);
  await arrived.promise;
  const idNow = async () => ((await (await fetch(`${url}${sync}`)).json()) as { id: string }).id;
  router.setUpstreams([{ ...leaving, state: 'draining' }, staying]);
  assert.equal(await idNow(), 'staying');
  router.setUpstreams([staying]);
  assert.equal(await idNow(), 'staying');
  release.resolve();
  assert.equal(await (await before).text(), 'finished');
});

test('the router finishes requests when it closes', async (t) => {
  const release = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const worker = await startTestWorker(t, 'w1', async (_req, res) => {
    arrived.resolve();
    await release.promise;
    res.end('finished');
  });
  const { port, url, router } = await startTestRouter(t, [worker]);
  const req = request({ port, path: sync }).end();
  await arrived.promise;
  const closed = router.close(5_000);
  release.resolve();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  assert.equal(res.headers.connection, 'close');
  let text = '';
  for await (const chunk of res) text += String(chunk);
  assert.equal(text, 'finished');
  await closed;
  await assert.rejects(fetch(`${url}${sync}`));
});

test('the router does not wait for ever', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const worker = await startTestWorker(t, 'w1', () => arrived.resolve());
  const { url, router } = await startTestRouter(t, [worker], { listeners: [loopback] });
  const answer = fetch(`${url}${sync}`);
  answer.catch(() => undefined);
  await arrived.promise;
  await router.close(20);
  await assert.rejects(answer);
});
