import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { boundaryIn, MultipartError, readPart } from './multipart.ts';

async function* inPieces(body: Buffer, sizes: readonly number[]) {
  let at = 0;
  for (let i = 0; at < body.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield Buffer.from(body.subarray(at, at + size));
    at += size;
  }
}

async function allOf(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces);
}

const of = (text: string) => inPieces(Buffer.from(text, 'latin1'), [7]);
const about = 'Content-Type: application/json\r\n\r\n{}';

test('a content comes out as it went in, however it is cut', async () => {
  // Beginnings of the delimiter are what can be mistaken for it.
  const piece = fc.oneof(
    fc.constantFrom('\r', '\n', '\r\n', '\r\n-', '\r\n--', '\r\n--b', '\r\n--bo', '--bou'),
    fc.string({ maxLength: 5 }),
  );
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.array(piece), sizes, fc.boolean(), async (parts, cuts, hasLine) => {
      const content = parts.join('').replaceAll('\r\n--bou', '');
      const text = `${hasLine ? '\r\n' : ''}--bou\r\n${about}\r\n--bou\r\nA: b\r\n\r\n${content}\r\n--bou--`;
      const body = Buffer.from(text);
      const part = await readPart(inPieces(body, cuts), 'bou', 1);
      assert.deepEqual(part.headers, { a: 'b' });
      assert.equal((await allOf(part.content)).toString(), content);
    }),
  );
});

test('headers are read; there may be none', async () => {
  const head = 'Content-Type:  image/png \r\nX-Long: a\r\n b\r\nno header';
  const part = await readPart(
    of(`preamble\r\n--b \r\n${about}\r\n--b\r\n${head}\r\n\r\nx\r\n--b--`),
    'b',
    1,
  );
  assert.deepEqual(part.headers, { 'content-type': 'image/png', 'x-long': 'a b' });
  const bare = await readPart(of(`--b\r\n${about}\r\n--b\r\n\r\nx\r\n--b--\r\nepilogue`), 'b', 1);
  assert.deepEqual(bare.headers, {});
  assert.equal((await allOf(bare.content)).toString(), 'x');
});

test('what is no such multipart is told', async () => {
  const wrong = [
    '',
    'no boundary',
    `--b\r\n${about}\r\n--b--\r\n`,
    `--b\r\n${about}`,
    `--b\r\n${about}\r\n--b\r\nA: ${'x'.repeat(20_000)}`,
    'x'.repeat(70_000),
  ];
  for (const text of wrong) {
    // oxlint-disable-next-line no-await-in-loop
    await assert.rejects(readPart(of(text), 'b', 1), MultipartError, text.slice(0, 40));
  }
  const cut = await readPart(of(`--b\r\n${about}\r\n--b\r\nA: b\r\n\r\ncut`), 'b', 1);
  await assert.rejects(allOf(cut.content), MultipartError);
});

test('who leaves early closes what the body comes from', async () => {
  let isClosed = false;
  async function* endless() {
    try {
      yield Buffer.from(`--b\r\n${about}\r\n--b\r\nA: b\r\n\r\n`);
      for (;;) yield Buffer.alloc(1000);
    } finally {
      isClosed = true;
    }
  }
  const { content } = await readPart(endless(), 'b', 1);
  let bytes = 0;
  for await (const piece of content) {
    bytes += piece.length;
    if (bytes > 5_000) break;
  }
  assert.ok(isClosed);
});

test('boundaries', () => {
  const expected: [string | undefined, string | null][] = [
    ['multipart/mixed; boundary=abc', 'abc'],
    ['Multipart/Mixed;charset=x; Boundary="a b;c"', 'a b;c'],
    ['multipart/mixed; boundary=abc; x=y', 'abc'],
    ['multipart/mixed', null],
    ['multipart/mixed; boundary=', null],
    [`multipart/mixed; boundary=${'a'.repeat(71)}`, null],
    ['multipart/form-data; boundary=abc', null],
    ['text/plain', null],
    [undefined, null],
  ];
  for (const [type, boundary] of expected) assert.equal(boundaryIn(type), boundary, String(type));
});
