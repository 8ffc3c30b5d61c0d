import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { createTestCertificate } from '../http/test-certificate.ts';
import { Metrics } from '../kernel/metrics.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { generateSigningKeyLine, parseSigningKey, verifySignedJson } from '../matrix/signing.ts';
import { createBackOff } from './back-off.ts';
import { FederationError, type FederationFailure } from './errors.ts';
import {
  createFederationClient,
  type FederationClient,
  type FederationClientConfig,
} from './federation-client.ts';

const signingKey = parseSigningKey(generateSigningKeyLine('k1'));
const { certificate, key } = createTestCertificate(['a.test', '127.0.0.1']);
const uri = '/_matrix/federation/v1/thing?a=b%20c';

interface Seen {
  host: string;
  sni: TLSSocket['servername'];
  authorization: string;
  method: string;
  url: string;
  body: string;
}
const seen: Seen[] = [];
const answers: Record<string, (res: ServerResponse) => void> = {
  [uri]: (res) => res.end('{"a": 1}'),
  '/refused': (res) => res.writeHead(400).end('{"errcode": "M_FORBIDDEN", "error": "no"}'),
  '/list': (res) => res.end('[]'),
  '/broken': (res) => res.writeHead(503).end('<html>'),
  '/large': (res) => res.end(JSON.stringify({ text: 'x'.repeat(10_000) })),
  '/silent': () => undefined,
  '/busy': (res) => res.writeHead(504).end('{"errcode": "M_NOT_YET_UPLOADED", "error": "later"}'),
  '/bytes': (res) => res.writeHead(200, { 'Content-Type': 'image/png' }).end('\0\x01'),
  '/moved': (res) => res.writeHead(302, { Location: '/bytes' }).end(),
};
const server = createServer({ cert: certificate, key }, (req: IncomingMessage, res) => {
  const reply = (body: string) => {
    const { host = '', authorization = '' } = req.headers;
    const sni = (req.socket as TLSSocket).servername;
    seen.push({ host, sni, authorization, method: req.method!, url: req.url!, body });
    answers[req.url!]!(res);
  };
  void text(req).then(reply);
});
let port = 0;
let closedPort = 0;
const clients: FederationClient[] = [];

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
  const closed = createTcpServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  closedPort = (closed.address() as AddressInfo).port;
  closed.close();
  await once(closed, 'close');
});
after(() => {
  for (const client of clients) client.close();
  server.closeAllConnections();
  server.close();
});

const services: Record<string, number[]> = {};

/** A client in a world where every name is this machine, but for `inside.test`. */
function clientOf(config: Partial<FederationClientConfig> = {}, clock = { now: () => 0 }) {
  const client = createFederationClient({
    config: {
      deny: ['10.0.0.0/8'],
      userAgent: 'Test/1',
      ca: [certificate],
      resolve(hostname, told) {
        const address = hostname === 'inside.test' ? '10.0.0.1' : '127.0.0.1';
        told(null, [{ address, family: 4 }]);
      },
      unverifiedHosts: [],
      allowedServers: null,
      timeoutMs: 5_000,
      ...config,
    },
    serverName: 'us.test',
    signingKey,
    clock,
    metrics: new Metrics(),
    backOff: createBackOff({ minMs: 1000, factor: 2, maxMs: 10_000 }, clock),
    async resolveSrv(name) {
      const ports = services[name];
      if (!ports) throw Object.assign(new Error('none'), { code: 'ENOTFOUND' });
      return ports.map((one, priority) => ({ name: 'srv.test', port: one, priority, weight: 0 }));
    },
  });
  clients.push(client);
  return client;
}

const get = { method: 'GET', uri } as const;

const failsWith = (promise: Promise<unknown>, reason: FederationFailure) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof FederationError, String(error));
    assert.equal(error.reason, reason, error.message);
    return true;
  });

test('a request is signed with all that it is', async () => {
  const content = { b: 1, a: 'ü' };
  const answer = await clientOf().request(`a.test:${port}`, { method: 'PUT', uri, content });
  assert.deepEqual(answer, { a: 1 });
  const { host, sni, authorization, body, method, url } = seen.at(-1)!;
  assert.deepEqual([host, sni, method, url], [`a.test:${port}`, 'a.test', 'PUT', uri]);
  assert.deepEqual(JSON.parse(body), content);
  const fields =
    /^X-Matrix origin="us\.test",destination="([^"]+)",key="ed25519:k1",sig="([^"]+)"$/;
  const [, destination = '', sig = ''] = fields.exec(authorization)!;
  assert.equal(destination, `a.test:${port}`);
  const signed = {
    method: 'PUT',
    uri,
    origin: 'us.test',
    destination,
    content,
    signatures: { 'us.test': { 'ed25519:k1': sig } },
  };
  assert.ok(verifySignedJson(signed, 'us.test', signingKey));
  assert.ok(!verifySignedJson({ ...signed, destination: 'b.test' }, 'us.test', signingKey));
});

test('a request without a body is signed without content', async () => {
  await clientOf().request(`a.test:${port}`, get);
  const { authorization, body } = seen.at(-1)!;
  assert.equal(body, '');
  const sig = /sig="([^"]+)"/.exec(authorization)![1]!;
  const signed = { method: 'GET', uri, origin: 'us.test', destination: `a.test:${port}` };
  const signatures = { 'us.test': { 'ed25519:k1': sig } };
  assert.ok(verifySignedJson({ ...signed, signatures }, 'us.test', signingKey));
});

test('an address proves itself by a certificate for the address, without SNI', async () => {
  await clientOf().request(`127.0.0.1:${port}`, get);
  const { host, sni } = seen.at(-1)!;
  assert.equal(host, `127.0.0.1:${port}`);
  assert.ok(!sni);
});

test('a server behind records proves to be the name, and is asked as the name', async () => {
  services['_matrix-fed._tcp.a.test'] = [closedPort, port];
  await clientOf().request('a.test', get);
  const { host, sni, authorization } = seen.at(-1)!;
  assert.deepEqual([host, sni], ['a.test', 'a.test']);
  assert.match(authorization, /destination="a\.test"/);
  services['_matrix-fed._tcp.b.test'] = [port];
  await failsWith(clientOf().request('b.test', get), 'unreachable');
});

test('certificates must be valid, but for hosts that are exempt', async () => {
  const name = `b.test:${port}`;
  await failsWith(clientOf().request(name, get), 'unreachable');
  await clientOf({ unverifiedHosts: ['*.test'] }).request(name, get);
  await clientOf({ verifiesCertificates: false }).request(name, get);
  const { certificate: other } = createTestCertificate(['a.test']);
  await failsWith(clientOf({ ca: [other] }).request(`a.test:${port}`, get), 'unreachable');
});

test('addresses that are denied, and servers that are not allowed, are not contacted', async () => {
  const count = seen.length;
  await failsWith(clientOf().request(`inside.test:${port}`, get), 'blocked');
  await failsWith(clientOf().request('10.1.1.1', get), 'blocked');
  const client = clientOf({ allowedServers: [`a.test:${port}`] });
  await failsWith(client.request(`127.0.0.1:${port}`, get), 'denied');
  await failsWith(clientOf().request('no name', get), 'denied');
  assert.equal(seen.length, count);
  await client.request(`a.test:${port}`, get);
});

test('answers that are none of use are told apart', async () => {
  const name = `a.test:${port}`;
  const ask = (path: string, more = {}) =>
    clientOf().request(name, { method: 'POST', uri: path, content: {}, ...more });
  await assert.rejects(ask('/refused'), (error: FederationError) => {
    assert.equal(error.reason, 'refused');
    assert.deepEqual(error.answer, {
      status: 400,
      body: { errcode: 'M_FORBIDDEN', error: 'no' },
    });
    return true;
  });
  await assert.rejects(ask('/broken'), (error: FederationError) => {
    assert.deepEqual(error.answer, { status: 503, body: null });
    return error.reason === 'refused';
  });
  await failsWith(ask('/list'), 'bad_answer');
  await failsWith(ask('/large', { bytesMax: 5_000 }), 'too_large');
  await failsWith(ask('/silent', { timeoutMs: 50 }), 'timeout');
});

test('who does not answer is left alone for a while; who refuses is not', async () => {
  let now = 0;
  const client = clientOf({}, { now: () => now });
  const name = `a.test:${port}`;
  await failsWith(client.request(`a.test:${closedPort}`, get), 'unreachable');
  await failsWith(client.request(`a.test:${closedPort}`, get), 'backing_off');
  await client.request(name, get);
  await failsWith(client.request(name, { ...get, uri: '/refused' }), 'refused');
  await failsWith(client.request(name, { ...get, uri: '/busy' }), 'refused');
  await failsWith(client.request(name, { ...get, uri: '/large', bytesMax: 10 }), 'too_large');
  await failsWith(client.request(name, { ...get, uri: '/broken' }), 'refused');
  await failsWith(client.request(name, get), 'backing_off');
  now += 1000;
  await client.request(name, get);
});

test('an answer can be read as it comes', async () => {
  const client = clientOf();
  const name = `a.test:${port}`;
  const { headers, body } = await client.open(name, { ...get, uri: '/bytes' });
  assert.equal(headers['content-type'], 'image/png');
  assert.match(seen.at(-1)!.authorization, /^X-Matrix /);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  assert.deepEqual(Buffer.concat(chunks), Buffer.from([0, 1]));
  await assert.rejects(client.open(name, { ...get, uri: '/refused' }), (error: FederationError) => {
    assert.equal(error.answer!.body!['errcode'], 'M_FORBIDDEN');
    return error.reason === 'refused';
  });
  await failsWith(client.open(name, { ...get, uri: '/moved' }), 'refused');
  const unsigned = { ...get, uri: '/moved', redirectsMax: 1, isSigned: false };
  const moved = await client.open(name, unsigned);
  assert.equal(moved.status, 200);
  await moved.body[Symbol.asyncIterator]().return?.();
  assert.deepEqual(
    seen.slice(-2).map(({ url, authorization }) => [url, authorization]),
    [
      ['/moved', ''],
      ['/bytes', ''],
    ],
  );
  const stop = AbortSignal.abort();
  await failsWith(client.open(name, { ...get, uri: '/silent', signal: stop }), 'unreachable');
});

test('what cannot be signed says nothing about the server', async () => {
  const client = clientOf();
  const name = `a.test:${port}`;
  let content: JsonObject = {};
  for (let level = 0; level < 1000; level++) content = { in: content };
  await assert.rejects(client.request(name, { method: 'PUT', uri, content }), {
    name: 'NotCanonical',
  });
  await client.request(name, get);
});
