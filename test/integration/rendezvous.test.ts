import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer(`
public_baseurl: https://matrix.test.example/
experimental_features: { msc4108_enabled: true, msc4388_mode: authenticated }`);
});
after(() => server.close());

const path4108 = '/_matrix/client/unstable/org.matrix.msc4108/rendezvous';
const path4388 = '/_matrix/client/unstable/io.element.msc4388/rendezvous';
const plain = { 'Content-Type': 'text/plain' };

/** Where the server is for the test, which is not what it says to others. */
const local = (url: string) => url.replace('https://matrix.test.example', server.url);

function send(method: string, url: string, body?: string, headers: Record<string, string> = {}) {
  return fetch(url, {
    method,
    headers: body === undefined ? headers : { ...plain, ...headers },
    ...(body === undefined ? {} : { body }),
  });
}

test('MSC4108: two devices write in turns, each seeing what it has read last', async () => {
  const made = await send('POST', server.url + path4108, 'hello');
  assert.equal(made.status, 201);
  const first = made.headers.get('etag')!;
  assert.match(first, /^"[^"]+"$/);
  assert.equal(made.headers.get('cache-control'), 'no-store');
  assert.equal(made.headers.get('access-control-expose-headers'), 'ETag');
  assert.ok(Date.parse(made.headers.get('expires')!) > Date.now());
  const { url } = (await made.json()) as { url: string };
  assert.ok(url.startsWith(`https://matrix.test.example${path4108}/`));

  const got = await send('GET', local(url));
  assert.equal(got.headers.get('etag'), first);
  assert.equal(got.headers.get('content-type'), 'text/plain');
  assert.equal(await got.text(), 'hello');
  const same = await send('GET', local(url), undefined, { 'If-None-Match': first });
  assert.equal(same.status, 304);
  const compressed = await send('GET', local(url), undefined, { 'If-None-Match': `W/${first}` });
  assert.equal(compressed.status, 304, 'as proxies that compress write tags');

  const put = await send('PUT', local(url), 'answer', { 'If-Match': first });
  assert.equal(put.status, 202);
  const second = put.headers.get('etag')!;
  assert.notEqual(second, first);
  const late = await send('PUT', local(url), 'late', { 'If-Match': first });
  assert.equal(late.status, 412);
  assert.equal(late.headers.get('etag'), second);
  const error = (await late.json()) as Json;
  assert.equal(error['org.matrix.msc4108.errcode'], 'M_CONCURRENT_WRITE');
  const again = await send('GET', local(url), undefined, { 'If-None-Match': first });
  assert.equal(await again.text(), 'answer');

  assert.equal((await send('DELETE', local(url))).status, 204);
  assert.equal((await send('GET', local(url))).status, 404);
  assert.equal((await send('DELETE', local(url))).status, 404);
});

test('MSC4108: what is too long, of another type or without its headers is refused', async () => {
  const status = async (...args: Parameters<typeof send>) => (await send(...args)).status;
  const to = server.url + path4108;
  assert.equal(await status('POST', to, 'x'.repeat(4097)), 413);
  assert.equal(await status('POST', to, '<b>', { 'Content-Type': 'text/html' }), 400);
  const made = await send('POST', to, 'x'.repeat(4096));
  const url = local(((await made.json()) as { url: string }).url);
  assert.equal(await status('PUT', url, 'no If-Match'), 400);
  assert.equal(await status('PUT', url, 'other', { 'If-Match': '"other"' }), 412);
  assert.equal(await status('PUT', `${to}/unknown`, 'x', { 'If-Match': '"1"' }), 404);
  const id = url.slice(url.lastIndexOf('/'));
  assert.equal(await status('GET', server.url + path4388 + id), 404, 'of the other proposal');
  const preflight = await fetch(url, { method: 'OPTIONS' });
  assert.match(preflight.headers.get('access-control-allow-headers')!, /If-Match, If-None-Match/);
});

test('MSC4388: the same with JSON; a repeated write does no harm', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const stranger = new TestClient(server.url);
  const versions = await stranger.ok('GET', '/_matrix/client/versions');
  assert.equal(versions['unstable_features']['org.matrix.msc4108'], true);
  assert.equal(await stranger.refused('GET', path4388), '401 M_MISSING_TOKEN');
  assert.equal(await stranger.refused('POST', path4388, { data: 'x' }), '401 M_MISSING_TOKEN');
  assert.deepEqual(await alice.ok('GET', path4388), { create_available: true });
  const made = await alice.ok('POST', path4388, { data: 'hello ☃' });
  assert.ok(made['expires_in_ms'] > 0);
  const path = `${path4388}/${made['id'] as string}`;
  const got = await stranger.ok('GET', path);
  assert.equal(got['data'], 'hello ☃');
  assert.equal(got['sequence_token'], made['sequence_token']);
  const wish = { sequence_token: made['sequence_token'] as string, data: 'answer' };
  const put = await stranger.ok('PUT', path, wish);
  assert.notEqual(put['sequence_token'], made['sequence_token']);
  assert.deepEqual(await stranger.ok('PUT', path, wish), put);
  const late = await alice.refused('PUT', path, { ...wish, data: 'late' });
  assert.equal(late, '409 IO_ELEMENT_MSC4388_CONCURRENT_WRITE');
  const tooLong = { sequence_token: put['sequence_token'] as string, data: '☃'.repeat(1_366) };
  assert.equal(await alice.refused('PUT', path, tooLong), '413 M_TOO_LARGE');
  const page = await send('GET', server.url + path, undefined, { 'Sec-Fetch-Dest': 'document' });
  assert.equal(page.status, 403);
  await alice.ok('DELETE', path);
  assert.equal(await stranger.refused('GET', path), '404 M_NOT_FOUND');
});
