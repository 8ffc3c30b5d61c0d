import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MatrixError } from '../../kernel/errors.ts';
import { createDownloadBudget } from './download-budget.ts';
import { fileNameIn } from './file-name.ts';
import { createRemoteMedia } from './remote-media.ts';

test('names of files', () => {
  const expected: [string | undefined, string | null][] = [
    [undefined, null],
    ['inline', null],
    ['attachment; filename=a.txt', 'a.txt'],
    ['attachment; filename="a \\"b\\" c.txt"; x=y', 'a "b" c.txt'],
    ["inline; filename=old.txt; filename*=utf-8''%F0%9F%90%94.txt", '🐔.txt'],
    ["inline; filename*=UTF-8'en'a%20b", 'a b'],
    ["inline; filename*=utf-8''%zz; filename=b.txt", 'b.txt'],
    [`inline; filename="${Buffer.from('ü.txt').toString('latin1')}"`, 'ü.txt'],
    ['inline; filename="\xfc.txt"', 'ü.txt'],
    ['inline; filename=""', null],
    [`inline; filename=${'a'.repeat(2_000)}`, 'a'.repeat(1_024)],
  ];
  for (const [header, name] of expected) assert.equal(fileNameIn(header), name, String(header));
});

test('an address gets so much at once, and so much in the long run', () => {
  const clock = { nowMs: 0, now: () => clock.nowMs };
  const budget = createDownloadBudget({ bytesPerSecond: 10, burstBytes: 100 }, clock);
  budget.check('a');
  budget.count('a', 60);
  budget.check('a');
  budget.count('a', 60);
  const refused = (waitMs: number) => (error: unknown) => {
    assert.ok(error instanceof MatrixError);
    assert.equal(error.code, 'M_LIMIT_EXCEEDED');
    assert.equal(error.extra['retry_after_ms'], waitMs);
    return true;
  };
  assert.throws(() => budget.check('a'), refused(2_100));
  budget.check('b');
  clock.nowMs = 2_000;
  assert.throws(() => budget.check('a'), refused(100));
  clock.nowMs = 2_100;
  budget.check('a');
});

test('one fetch is for all who want the same; what fails is tried anew', async () => {
  const fetches: string[] = [];
  const kept: string[] = [];
  let isBroken = false;
  async function* content() {
    yield Buffer.from('abc');
    if (isBroken) throw new Error('a bug');
  }
  const counted: number[] = [];
  const remote = createRemoteMedia({
    async openRemote({ serverName, mediaId }) {
      fetches.push(`${serverName}/${mediaId}`);
      return { contentType: 'text/plain', fileName: null, content: content() };
    },
    budget: { check: () => undefined, count: (_address, bytes) => counted.push(bytes) },
    uploads: {
      async keepCopy(_file, { mediaId }) {
        kept.push(mediaId);
      },
    },
    temporary: {
      async write(pieces) {
        let bytes = 0;
        for await (const piece of pieces) bytes += piece.length;
        return { path: 'x', sha256: '', bytes };
      },
      discard: async () => undefined,
    },
  });
  const wish = { serverName: 's.example', timeoutMs: 0, remoteAddress: 'a' };
  const [one, two] = [
    { ...wish, mediaId: 'one' },
    { ...wish, mediaId: 'two' },
  ];
  await Promise.all([remote.fetch(one), remote.fetch(one), remote.fetch(two)]);
  assert.deepEqual(fetches, ['s.example/one', 's.example/two']);
  assert.deepEqual(kept, ['one', 'two']);
  assert.deepEqual(counted, [3, 3]);
  isBroken = true;
  await assert.rejects(Promise.all([remote.fetch(one), remote.fetch(one)]), /a bug/);
  isBroken = false;
  await remote.fetch(one);
  assert.equal(fetches.length, 4);
});
