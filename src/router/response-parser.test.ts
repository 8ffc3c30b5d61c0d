import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MalformedResponse, ResponseParser } from './response-parser.ts';

interface Seen {
  status: number;
  headers: string[];
  body: string;
  isEnded: boolean;
}

/** Feeds the pieces; gives what the reader was told. */
function parse(pieces: readonly Buffer[], isHead = false): Seen & { parser: ResponseParser } {
  const seen: Seen = { status: 0, headers: [], body: '', isEnded: false };
  const parser = new ResponseParser();
  parser.expect(
    {
      head: (status, headers) => Object.assign(seen, { status, headers }),
      body: (chunk) => void (seen.body += chunk.toString('latin1')),
      end: () => void (seen.isEnded = true),
    },
    isHead,
  );
  for (const piece of pieces) parser.feed(piece);
  return Object.assign(seen, { parser });
}

const bytes = (text: string) => Buffer.from(text, 'latin1');

/** The bytes cut at the given places. */
function cut(whole: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((one) => one % (whole.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((begin, i) => whole.subarray(begin, at[i] ?? whole.length));
}

test('responses are read however they are cut into pieces', () => {
  const chunksOf = (parts: readonly string[]) =>
    `${parts.map((one) => `${one.length.toString(16)};x=y\r\n${one}\r\n`).join('')}0\r\nX-T: 1\r\n\r\n`;
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, unit: 'binary-ascii' }), { maxLength: 5 }),
      fc.boolean(),
      fc.array(fc.nat()),
      (parts, isChunked, places) => {
        const body = parts.join('');
        const framed = isChunked
          ? `Transfer-Encoding: chunked\r\n\r\n${chunksOf(parts)}`
          : `Content-Length: ${body.length}\r\n\r\n${body}`;
        const whole = bytes(
          `HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nX: a:b \r\n${framed}`,
        );
        const seen = parse(cut(whole, places));
        assert.deepEqual(
          [seen.status, seen.headers.slice(0, 2), seen.body, seen.isEnded],
          [200, ['X', 'a:b'], body, true],
        );
        assert.equal(seen.parser.isKeptAlive, true);
      },
    ),
  );
});

test('answers without a body end with their head', () => {
  const length = 'Content-Length: 5\r\n\r\n';
  for (const [text, isHead] of [
    [`HTTP/1.1 200 OK\r\n${length}`, true],
    [`HTTP/1.1 204 No Content\r\n\r\n`, false],
    [`HTTP/1.1 304 Not Modified\r\n${length}`, false],
    [`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`, false],
    [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n`, true],
  ] as const) {
    const seen = parse([bytes(text)], isHead);
    assert.deepEqual([seen.isEnded, seen.body], [true, ''], text);
  }
});

test('without a length the body ends with the connection', () => {
  const seen = parse([bytes('HTTP/1.1 200 OK\r\n\r\nhello')]);
  assert.deepEqual([seen.body, seen.isEnded, seen.parser.isKeptAlive], ['hello', false, false]);
  assert.equal(seen.parser.close(), true);
  assert.equal(seen.isEnded, true);
});

test('a connection that ends too early is noticed', () => {
  const seen = parse([bytes('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello')]);
  assert.equal(seen.parser.close(), false);
  assert.equal(seen.isEnded, false);
});

test('`Connection: close` and HTTP/1.0 are the last answers of a connection', () => {
  const close = 'HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n';
  assert.equal(parse([bytes(close)]).parser.isKeptAlive, false);
  const old = 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n';
  assert.equal(parse([bytes(old)]).parser.isKeptAlive, false);
});

test('what is no HTTP/1.1 is refused', () => {
  for (const text of [
    'SSH-2.0-x\r\n\r\n',
    'HTTP/1.1 OK\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
    'HTTP/1.1 200 OK\r\nno header\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n',
    `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(70_000)}`,
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab',
  ]) {
    assert.throws(() => parse([bytes(text)]), MalformedResponse, text.slice(0, 80));
  }
});
