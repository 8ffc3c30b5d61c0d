import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { JsonText, Reply, StreamedBody, type DeclaredEndpoint } from './endpoint.ts';
import { base, declare, deferred, startTestServer } from './test-server.ts';

const answering = (name: string, handle: () => unknown): DeclaredEndpoint<null> =>
  declare({ ...base, operation: name, method: 'GET', paths: [`/${name}`], handle });

test('each kind of answer has its type and length', async (t) => {
  const long = 'é'.repeat(20_000);
  const { url } = await startTestServer(t, [
    answering('object', () => ({ a: 'é' })),
    answering('text', () => 'OK'),
    answering('json', () => new JsonText('{"b":1}')),
    answering('long', () => ({ long })),
    answering('bytes', () => new Reply(200, Buffer.from([0, 255]), { 'Content-Type': 'x/y' })),
    answering('created', () => new Reply(201, { c: 1 }, { Location: '/there' })),
    answering('nothing', () => undefined),
  ]);
  const ask = async (name: string) => {
    const response = await fetch(`${url}/${name}`);
    const body = Buffer.from(await response.arrayBuffer());
    assert.equal(Number(response.headers.get('content-length')), body.length, name);
    assert.match(response.headers.get('x-request-id') ?? '', /^GET-\d+$/);
    const type = response.headers.get('content-type');
    return { status: response.status, type, body, headers: response.headers };
  };
  const object = await ask('object');
  assert.equal(object.type, 'application/json');
  assert.equal(object.body.toString(), '{"a":"é"}');
  const text = await ask('text');
  assert.equal(text.type, 'text/plain; charset=utf-8');
  assert.equal(text.body.toString(), 'OK');
  assert.equal((await ask('json')).body.toString(), '{"b":1}');
  assert.deepEqual(JSON.parse((await ask('long')).body.toString()), { long });
  const bytes = await ask('bytes');
  assert.equal(bytes.type, 'x/y');
  assert.deepEqual([...bytes.body], [0, 255]);
  const created = await ask('created');
  assert.equal(created.status, 201);
  assert.equal(created.headers.get('location'), '/there');
  assert.equal((await ask('nothing')).body.length, 0);
});

const megabyte = 'x'.repeat(1024 * 1024);

test('streams arrive whole and leave no listeners on their answer', async (t) => {
  const pieces = 40;
  let listeners: number[] = [];
  const big = declare({
    ...base,
    operation: 'big',
    method: 'GET',
    paths: ['/big'],
    handle: ({ raw: { res } }) =>
      new StreamedBody(
        (function* () {
          for (let i = 0; i < pieces; i++) {
            const { listenerCount } = res as ServerResponse;
            listeners.push(listenerCount.call(res, 'drain') + listenerCount.call(res, 'close'));
            yield megabyte;
          }
        })(),
      ),
  });
  const { url } = await startTestServer(t, [big]);
  const response = await fetch(`${url}/big`);
  assert.equal((await response.arrayBuffer()).byteLength, pieces * megabyte.length);
  assert.equal(new Set(listeners).size, 1);
});

test('a stream waits for a slow client, and ends when it goes', async (t) => {
  const ended = deferred<number>();
  const endless = answering('endless', () => {
    let written = 0;
    return new StreamedBody(
      (async function* () {
        try {
          for (;;) {
            written++;
            yield megabyte;
          }
        } finally {
          ended.resolve(written);
        }
      })(),
    );
  });
  const { port } = await startTestServer(t, [endless]);
  const socket = connect(port, '127.0.0.1');
  socket.once('data', () => {
    socket.pause();
    socket.destroy();
  });
  socket.write('GET /endless HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.ok((await ended.promise) > 0);
});

test('a stream that fails before its first piece is an error, after it a broken answer', async (t) => {
  const failing = (name: string, first: readonly string[]) =>
    answering(
      name,
      () =>
        new StreamedBody(
          // oxlint-disable-next-line require-yield
          (function* () {
            yield* first;
            throw new Error('in the middle');
          })(),
        ),
    );
  const { url, logged } = await startTestServer(t, [
    failing('early', []),
    failing('late', ['{"a":']),
  ]);
  assert.equal((await fetch(`${url}/early`)).status, 500);
  await assert.rejects(async () => (await fetch(`${url}/late`)).text());
  const errors = logged.filter(({ level }) => level === 'error').map(({ msg }) => msg);
  assert.deepEqual(errors, ['bug', 'an answer broke off']);
});
