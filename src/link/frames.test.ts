import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { frameReader, frameWriter, kinds, MalformedFrame, type Frame } from './frames.ts';

/** A socket that keeps what is written. */
function sink() {
  const chunks: Buffer[] = [];
  const socket = Object.assign(new EventEmitter(), {
    destroyed: false,
    write: (chunk: Buffer) => chunks.push(chunk) > 0,
  });
  return { socket: socket as unknown as Socket, written: () => Buffer.concat(chunks), chunks };
}

function framesIn(bytes: Buffer, cuts: readonly number[]): Frame[] {
  const frames: Frame[] = [];
  const take = frameReader((frame) => frames.push({ ...frame, body: Buffer.from(frame.body) }));
  let at = 0;
  for (const cut of [...cuts, bytes.length].toSorted((a, b) => a - b)) {
    take(bytes.subarray(at, cut));
    at = cut;
  }
  return frames;
}

test('frames come out as they went in, wherever the bytes are cut', () => {
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.string({ unit: 'grapheme' }).map((text) => ({ text, encoding: 'utf8' as const })),
    fc.stringMatching(/^[\x20-\xff]{0,40}$/).map((text) => ({ text, encoding: 'latin1' as const })),
  );
  const frame = fc.record({
    kind: fc.constantFrom(...Object.values(kinds)),
    exchange: fc.nat(2 ** 32 - 1),
    head: fc.string({ unit: 'grapheme' }),
    body,
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(2000)), (sent, wanted) => {
      const { socket, written, chunks } = sink();
      const writer = frameWriter(socket);
      for (const { kind, exchange, head, body: given } of sent) {
        writer.write(kind, exchange, head, given);
      }
      writer.flush();
      assert.ok(chunks.length <= 1, 'they leave together');
      const bytes = written();
      const cuts = wanted.filter((cut) => cut <= bytes.length);
      assert.deepEqual(
        framesIn(bytes, cuts),
        sent.map((one) => ({
          ...one,
          body: Buffer.isBuffer(one.body)
            ? one.body
            : Buffer.from(one.body.text, one.body.encoding),
        })),
      );
    }),
  );
});

test('what is no frame is refused', () => {
  const { socket, written } = sink();
  const writer = frameWriter(socket);
  writer.write(kinds.answer, 1, '[200]', Buffer.from('x'));
  writer.flush();
  const change = (at: number, value: number) => {
    const bytes = Buffer.from(written());
    bytes.writeUInt32BE(value, at);
    return () => framesIn(bytes, []);
  };
  const [length, headLength] = [0, 9];
  assert.throws(change(length, 2 ** 31), MalformedFrame);
  assert.throws(change(length, 3), MalformedFrame);
  assert.throws(change(headLength, 1000), MalformedFrame);
});
