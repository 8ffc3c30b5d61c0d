import assert from 'node:assert/strict';
import { link, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { Agent, get, request, type IncomingMessage } from 'node:http';
import { get as getTls } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { bindEndpoints } from './endpoint.ts';
import { createTestCertificate } from './test-certificate.ts';
import { base, declare, deferred, loopback, readAll, startTestServer } from './test-server.ts';

const who = declare({
  ...base,
  operation: 'who',
  method: 'GET',
  paths: ['/who'],
  handle: ({ request }) => ({ address: request.remoteAddress }),
});

async function textOf(message: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of message) text += String(chunk);
  return text;
}

const answerTo = (send: (answered: (message: IncomingMessage) => void) => { on: Function }) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    send(resolve).on('error', reject);
  });

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'http-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

test('TLS', async (t) => {
  const tls = createTestCertificate();
  const { url, port } = await startTestServer(t, [who], { listeners: [{ ...loopback, tls }] });
  assert.match(url, /^https:/);
  const options = { port, host: '127.0.0.1', servername: 'localhost', path: '/who' };
  const trusted = await answerTo((done) => getTls({ ...options, ca: tls.certificate }, done));
  assert.equal(await textOf(trusted), '{"address":"127.0.0.1"}');
  await assert.rejects(answerTo((done) => getTls(options, done)));
});

test('unix sockets have their mode; an old socket is replaced, a file is not', async (t) => {
  const path = join(await folder(t), 'http.sock');
  const listener = { ...loopback, at: { path, mode: 0o660 } };
  const { server } = await startTestServer(t, [who], { listeners: [listener] });
  const answer = await answerTo((done) => get({ socketPath: path, path: '/who' }, done));
  assert.equal(answer.statusCode, 200);
  answer.resume();
  assert.equal((await stat(path)).mode & 0o777, 0o660);

  // As after a crash: nobody removed the socket.
  await link(path, `${path}.kept`);
  await server.close(0);
  await rename(`${path}.kept`, path);
  await startTestServer(t, [who], { listeners: [listener] });

  const file = join(await folder(t), 'precious');
  await writeFile(file, 'text');
  const wrong = { ...loopback, at: { path: file, mode: 0o660 } };
  await assert.rejects(startTestServer(t, [who], { listeners: [wrong] }), { code: 'EADDRINUSE' });
  assert.ok((await stat(file)).isFile());
});

test('a socket at which another process answers is left to it', async (t) => {
  const at = { path: join(await folder(t), 'http.sock'), mode: 0o600 };
  await startTestServer(t, [who], { listeners: [{ ...loopback, at }] });
  await assert.rejects(startTestServer(t, [who], { listeners: [{ ...loopback, at }] }), {
    code: 'EADDRINUSE',
    message: `cannot listen at ${at.path}: another program listens there (EADDRINUSE)`,
  });
});

test('a listener offers only the endpoints of its resources', async (t) => {
  const hidden = declare({
    ...base,
    operation: 'hidden',
    method: 'GET',
    paths: ['/hidden'],
    resource: 'metrics',
    handle: () => 'numbers',
  });
  const listeners = [loopback, { ...loopback, resources: ['metrics'] as const }];
  const { urls } = await startTestServer(t, [who, hidden], { listeners });
  const status = async (i: number, path: string) => (await fetch(urls[i] + path)).status;
  assert.deepEqual(await Promise.all([status(0, '/who'), status(0, '/hidden')]), [200, 404]);
  assert.deepEqual(await Promise.all([status(1, '/who'), status(1, '/hidden')]), [404, 200]);
});

test('X-Forwarded-For counts only where a proxy is announced', async (t) => {
  const listeners = [loopback, { ...loopback, isForwarded: true }];
  const { urls } = await startTestServer(t, [who], { listeners });
  const headers = { 'X-Forwarded-For': '203.0.113.7, 10.0.0.1' };
  const seen = await Promise.all(
    urls.map(async (url) => (await fetch(`${url}/who`, { headers })).json()),
  );
  assert.deepEqual(seen, [{ address: '127.0.0.1' }, { address: '203.0.113.7' }]);
});

test('when one listener cannot open, none stays open', async (t) => {
  const { port } = await startTestServer(t, [who]);
  const path = join(await folder(t), 'http.sock');
  const listeners = [
    { ...loopback, at: { path, mode: 0o600 } },
    { ...loopback, at: { port, addresses: ['127.0.0.1'] } },
  ];
  await assert.rejects(startTestServer(t, [who], { listeners }), { code: 'EADDRINUSE' });
  await assert.rejects(stat(path), { code: 'ENOENT' });
});

function waiting() {
  const began = deferred<void>();
  const released = deferred<object>();
  const endpoint = declare({
    ...base,
    operation: 'wait',
    method: 'GET',
    paths: ['/wait'],
    handle() {
      began.resolve();
      return released.promise;
    },
  });
  return { began: began.promise, release: () => released.resolve({}), endpoint };
}

/** Longer than a test may take: who waits for it fails. */
const foreverMs = 10 * 60 * 1000;

test('close lets requests finish, then ends even connections that would be kept', async (t) => {
  const { began, release, endpoint } = waiting();
  const { server, port } = await startTestServer(t, [endpoint, who]);
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const idle = await answerTo((done) => get({ port, path: '/who', agent }, done));
  await textOf(idle);
  const underWay = answerTo((done) => get({ port, path: '/wait', agent }, done));
  await began;
  const closed = server.close(foreverMs);
  await assert.rejects(
    answerTo((done) => get({ port, path: '/who' }, done)),
    { code: 'ECONNREFUSED' },
  );
  release();
  const answer = await underWay;
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers.connection, 'close');
  answer.resume();
  await closed;
});

test('close ends what does not finish within the grace', async (t) => {
  const { began, endpoint } = waiting();
  const { server, port } = await startTestServer(t, [endpoint]);
  const socket = connect(port, '127.0.0.1');
  const answer = readAll(socket);
  socket.write('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n');
  await began;
  await server.close(1);
  assert.equal(await answer, '');
});

test('long polls learn that the server stops', async (t) => {
  const began = deferred<void>();
  const poll = declare({
    ...base,
    operation: 'poll',
    method: 'GET',
    paths: ['/poll'],
    handle: ({ request }) =>
      new Promise((resolve) => {
        request.onGone(() => resolve({ ended: request.isGone }));
        began.resolve();
      }),
  });
  const { server, port } = await startTestServer(t, [poll]);
  const answer = answerTo((done) => get({ port, path: '/poll', agent: false }, done));
  await began.promise;
  const closed = server.close(foreverMs);
  assert.equal(await textOf(await answer), '{"ended":true}');
  await closed;
});

test('handlers learn that their client has gone', async (t) => {
  const began = deferred<void>();
  const gone = deferred<void>();
  const poll = declare({
    ...base,
    operation: 'poll',
    method: 'GET',
    paths: ['/poll'],
    async handle({ request }) {
      request.onGone(() => gone.resolve());
      began.resolve();
      await gone.promise;
      assert.equal(request.isGone, true);
    },
  });
  const { port, logged, server } = await startTestServer(t, [poll]);
  const sent = request({ port, path: '/poll' });
  sent.on('error', () => undefined);
  sent.end();
  await began.promise;
  sent.destroy();
  await gone.promise;
  await server.close(foreverMs);
  assert.deepEqual(
    logged.filter(({ level }) => level === 'error'),
    [],
  );
});

test('declared endpoints have defaults', () => {
  const [endpoint] = bindEndpoints([who], null);
  assert.equal(endpoint!.resource, 'client');
  assert.equal(endpoint!.rateLimit, 'none');
  assert.equal(endpoint!.bodyMode, 'none');
});
