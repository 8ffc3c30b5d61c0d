import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { serveContent } from './serve-content.ts';
import type { MediaStore } from './storage/media-store.ts';

/** More than a system takes of what nobody reads. */
const bytes = 8 * 1024 * 1024;
const whole = Buffer.alloc(bytes, 'abcdefg');

/** Notes how much each download reads at once. */
function createStore(asked: number[]): Pick<MediaStore, 'open'> {
  return {
    open: async (_sha256, { start, end }) => {
      let position = start;
      return {
        async read(into) {
          if (position === start) asked.push(into.length);
          const read = whole.copy(into, 0, position, Math.min(end + 1, position + into.length));
          position += read;
          return read;
        },
        close: () => undefined,
      };
    },
  };
}

const hashOf = (content: Buffer) => createHash('sha256').update(content).digest('hex');

async function hashOfAnswer(response: IncomingMessage): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of response) hash.update(piece as Buffer);
  return hash.digest('hex');
}

test('many slow downloads at once are whole, and only some of them hold large pieces', async (t) => {
  const asked: number[] = [];
  const needs = {
    contents: createStore(asked) as MediaStore,
    small: { isSmall: () => false, read: async () => null },
  };
  const media = { sha256: 'ab', contentType: 'a/b', fileName: null, isPublic: false, bytes };
  const server = createServer((req, res) => void serveContent(needs, { req, res }, media, 'GET-1'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const begin = () =>
    new Promise<IncomingMessage>((resolve) => get({ port, agent: false }, resolve));

  // Nothing is read of them yet: each holds a piece that the system does not take.
  const slow = await Promise.all(Array.from({ length: 20 }, begin));
  assert.equal(asked.length, 20);
  assert.equal(asked.filter((length) => length > 64 * 1024).length, 16);
  const hashes = await Promise.all(slow.map(hashOfAnswer));
  assert.deepEqual(new Set(hashes), new Set([hashOf(whole)]));

  // Those that are done have given their buffers back, those that break off as well.
  const broken = await Promise.all(Array.from({ length: 20 }, begin));
  for (const response of broken) response.destroy();
  await Promise.all(broken.map((one) => new Promise((resolve) => one.once('close', resolve))));
  asked.length = 0;
  assert.equal(await hashOfAnswer(await begin()), hashOf(whole));
  assert.ok(asked[0]! > 64 * 1024);
});
