import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { ClientGone } from '../http/read-body.ts';
import { MatrixError } from '../kernel/errors.ts';
import { receive } from './receive.ts';

const pieceBytes = 64 * 1024;

/** A request whose body is so many pieces, each made when it is asked for. */
function requestOf(pieces: number, { complete = true } = {}) {
  const sent = { pieces: 0 };
  const body = new Readable({
    highWaterMark: pieceBytes,
    read() {
      this.push(sent.pieces === pieces ? null : Buffer.alloc(pieceBytes, sent.pieces++));
    },
  });
  const request = Object.assign(body, { headers: {}, complete, setTimeout: () => undefined });
  return { req: request as unknown as IncomingMessage, sent };
}

async function all(
  pieces: AsyncIterable<Buffer>,
  onPiece: (piece: Buffer) => void = () => undefined,
) {
  for await (const piece of pieces) onPiece(piece);
}

test('a body comes whole and in order', async () => {
  const { req } = requestOf(100);
  let at = 0;
  for await (const piece of receive(req, 100 * pieceBytes)) {
    assert.deepEqual([piece[0], piece.at(-1), piece.length], [at, at, pieceBytes]);
    at++;
  }
  assert.equal(at, 100);
});

test('a client does not send faster than it is read', async () => {
  const { req, sent } = requestOf(200);
  let read = 0;
  for await (const piece of receive(req, 200 * pieceBytes)) {
    read += piece.length / pieceBytes;
    await new Promise(setImmediate);
    assert.ok((sent.pieces - read) * pieceBytes <= 3 * 1024 * 1024, `${sent.pieces} at ${read}`);
  }
  assert.equal(read, 200);
});

test('what is too large is refused, and can be answered', async () => {
  const { req } = requestOf(100);
  const refused = (error: unknown) => error instanceof MatrixError && error.code === 'M_TOO_LARGE';
  await assert.rejects(all(receive(req, 20 * pieceBytes)), refused);
  assert.equal(req.destroyed, false);
});

test('a client that goes away in the middle is noticed', async () => {
  const before = requestOf(100);
  before.req.destroy();
  const cut = requestOf(10, { complete: false });
  const during = requestOf(100);
  const bytesMax = 100 * pieceBytes;
  await assert.rejects(all(receive(before.req, bytesMax)), ClientGone);
  await assert.rejects(all(receive(cut.req, bytesMax)), ClientGone);
  Object.assign(during.req, { complete: false });
  await assert.rejects(
    all(receive(during.req, bytesMax), () => during.req.destroy()),
    ClientGone,
  );
});
