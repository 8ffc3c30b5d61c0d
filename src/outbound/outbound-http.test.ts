import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Resolve } from './checked-lookup.ts';
import { OutboundError, type OutboundFailure } from './errors.ts';
import { createOutboundHttp } from './outbound-http.ts';

const used = new WeakSet<object>();
type Answer = (req: IncomingMessage, res: ServerResponse) => void;

const answers: Record<string, Answer> = {
  '/plain': (_, res) => res.end('hello'),
  '/zipped': (_, res) => {
    res.writeHead(200, { 'Content-Encoding': 'gzip' });
    res.end(gzipSync('x'.repeat(100_000)));
  },
  '/broken-zip': (_, res) => {
    res.writeHead(200, { 'Content-Encoding': 'gzip' });
    res.end('this is not gzip');
  },
  '/endless': (_, res) => {
    const more = () => {
      while (!res.destroyed && res.write(Buffer.alloc(65_536)));
    };
    res.on('drain', more);
    more();
  },
  '/silent': () => undefined,
  '/slow-body': (_, res) => void res.write('begun'),
  '/echo': (req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      res.end(JSON.stringify({ method: req.method, headers: req.headers, body }));
    });
  },
  '/inside': (_, res) => redirect(res, 'http://10.0.0.1/secret'),
  '/rebind': (_, res) => redirect(res, `http://inside.test:${port}/plain`),
  '/elsewhere': (_, res) => redirect(res, `http://other.test:${port}/echo`),
  '/again': (_, res) => redirect(res, '/again'),
  '/kept': (_, res) => redirect(res, '/echo', 307),
  // Answers only the first request of a connection.
  '/once': (req, res) => {
    if (used.has(req.socket)) req.socket.resetAndDestroy();
    else res.end('first');
    used.add(req.socket);
  },
  '/file': (_, res) => redirect(res, 'file:///etc/passwd'),
};

function redirect(res: ServerResponse, location: string, status = 302): void {
  res.writeHead(status, { Location: location });
  res.end();
}

const server = createServer((req, res) => {
  const answer = answers[req.url ?? ''];
  if (answer) answer(req, res);
  else res.writeHead(404).end();
});
let port = 0;
/** Names of the tests; `two.test` has an address that is denied beside one that is not. */
const names: Record<string, string[]> = {
  'site.test': ['127.0.0.1'],
  'other.test': ['127.0.0.1'],
  'inside.test': ['10.0.0.1'],
  'two.test': ['127.0.0.1', '10.0.0.1'],
};
const resolve: Resolve = (name, told) => {
  const found = names[name];
  if (!found) told(Object.assign(new Error('ENOTFOUND'), { code: 'ENOTFOUND' }), []);
  else
    told(
      null,
      found.map((address) => ({ address, family: 4 })),
    );
};
const http = createOutboundHttp({ deny: ['10.0.0.0/8'], userAgent: 'Test/1', resolve });

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
after(() => {
  http.close();
  server.closeAllConnections();
  server.close();
});

const at = (path: string, host = 'site.test') => `http://${host}:${port}${path}`;

const failsWith = (promise: Promise<unknown>, reason: OutboundFailure) =>
  assert.rejects(promise, (error) => error instanceof OutboundError && error.reason === reason);

test('an answer is read whole, with its status', async () => {
  const answer = await http.fetch(at('/plain'));
  assert.equal(answer.status, 200);
  assert.equal(answer.body.toString(), 'hello');
  assert.equal((await http.fetch(at('/unknown'))).status, 404);
});

test('connections are kept and used again', async () => {
  let connections = 0;
  server.on('connection', () => connections++);
  await http.fetch(at('/plain'));
  await http.fetch(at('/plain'));
  assert.ok(connections <= 1, `${connections} connections`);
});

test('a kept connection that is closed is replaced for what may be repeated', async () => {
  const request = { method: 'POST', body: 'x' };
  assert.equal((await http.fetch(at('/once'), request)).body.toString(), 'first');
  await failsWith(http.fetch(at('/once'), request), 'unreachable');
  await http.fetch(at('/once'), request);
  const again = await http.fetch(at('/once'), { ...request, isRepeatable: true });
  assert.equal(again.body.toString(), 'first');
});

test('method, headers and body are sent', async () => {
  const request = { method: 'POST', body: 'übel', headers: { Authorization: 'Bearer a' } };
  const sent = JSON.parse((await http.fetch(at('/echo'), request)).body.toString());
  assert.equal(sent.method, 'POST');
  assert.equal(sent.body, 'übel');
  assert.equal(sent.headers.authorization, 'Bearer a');
  assert.equal(sent.headers['user-agent'], 'Test/1');
});

test('denied addresses are not contacted: as such, by name, one of several, by redirect', async () => {
  await failsWith(http.fetch('http://10.0.0.1/'), 'blocked');
  await failsWith(http.fetch('http://[::ffff:10.0.0.1]/'), 'blocked');
  await failsWith(http.fetch('http://0xa.1/'), 'blocked');
  await failsWith(http.fetch(at('/plain', 'inside.test')), 'blocked');
  await failsWith(http.fetch(at('/plain', 'two.test')), 'blocked');
  await failsWith(http.fetch(at('/inside'), { redirectsMax: 3 }), 'blocked');
  await failsWith(http.fetch(at('/rebind'), { redirectsMax: 3 }), 'blocked');
});

test('URLs that are not of the web are refused, in redirects too', async () => {
  await failsWith(http.fetch('file:///etc/passwd'), 'bad_url');
  await failsWith(http.fetch('no url'), 'bad_url');
  await failsWith(http.fetch(at('/file'), { redirectsMax: 3 }), 'bad_url');
});

test('the caller is asked about each URL', async () => {
  const asked: string[] = [];
  const isUrlAllowed = (url: URL) => asked.push(url.hostname) < 2;
  await failsWith(http.fetch(at('/elsewhere'), { redirectsMax: 3, isUrlAllowed }), 'blocked');
  assert.deepEqual(asked, ['site.test', 'other.test']);
});

test('redirects are followed as far as is said', async () => {
  assert.equal((await http.fetch(at('/again'))).status, 302);
  await failsWith(http.fetch(at('/again'), { redirectsMax: 3 }), 'too_many_redirects');
  const { body } = await http.fetch(at('/kept'), {
    method: 'PUT',
    body: 'kept',
    redirectsMax: 1,
  });
  assert.deepEqual(
    { ...JSON.parse(body.toString()), headers: null },
    { method: 'PUT', body: 'kept', headers: null },
  );
});

test('secrets are not told to another origin', async () => {
  const request = { headers: { Authorization: 'Bearer a', 'X-Harmless': 'b' }, redirectsMax: 1 };
  const answer = await http.fetch(at('/elsewhere'), request);
  const { headers } = JSON.parse(answer.body.toString());
  assert.equal(headers.authorization, undefined);
  assert.equal(headers['x-harmless'], 'b');
  assert.equal(answer.url, at('/echo', 'other.test'));
});

test('bodies are bounded after decompression', async () => {
  assert.equal((await http.fetch(at('/zipped'))).body.length, 100_000);
  await failsWith(http.fetch(at('/zipped'), { bytesMax: 50_000 }), 'too_large');
  await failsWith(http.fetch(at('/endless'), { bytesMax: 1_000_000 }), 'too_large');
  await failsWith(http.fetch(at('/broken-zip')), 'unreachable');
});

test('time is bounded, the body included', async () => {
  await failsWith(http.fetch(at('/silent'), { timeoutMs: 50 }), 'timeout');
  await failsWith(http.fetch(at('/slow-body'), { timeoutMs: 50 }), 'timeout');
});

test('a caller can end an exchange, and what cannot be reached is said', async () => {
  const stop = AbortSignal.abort();
  await failsWith(http.fetch(at('/plain'), { signal: stop }), 'unreachable');
  await failsWith(http.fetch(at('/plain', 'nowhere.test')), 'unreachable');
});

test('a stream can be left early', async () => {
  const { body } = await http.open(at('/endless'), { bytesMax: 1e9 });
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > 100_000) break;
  }
  assert.ok(bytes > 100_000);
});
