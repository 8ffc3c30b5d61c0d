import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createDiskStore } from './disk-store.ts';
import type { ByteRange, MediaStore } from './media-store.ts';
import { createS3Store } from './s3-store.ts';
import { joinStores } from './several-stores.ts';
import { startTestObjectStore } from './test-object-store.ts';
import { createTemporaryFiles } from './temporary-files.ts';

const secret = 'a secret of the store';
const folder = await mkdtemp(join(tmpdir(), 'lattice-media-'));
const temporary = createTemporaryFiles(join(folder, 'tmp'));
const objects = await startTestObjectStore(secret);
const s3 = (secretAccessKey = secret) =>
  createS3Store(
    {
      bucket: 'media',
      endpoint: objects.endpoint,
      region: 'eu-1',
      prefix: 'here/',
      accessKeyId: 'someone',
      secretAccessKey,
      sessionToken: null,
      storageClass: 'STANDARD_IA',
    },
    temporary,
  );
after(async () => {
  objects.close();
  await rm(folder, { recursive: true });
});

async function* inPieces(content: Buffer, size = 10_000) {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

const hashOf = (content: Buffer) => createHash('sha256').update(content).digest('hex');

async function readAll(store: MediaStore, sha256: string, range: ByteRange): Promise<Buffer> {
  const content = await store.open(sha256, range);
  assert.ok(content);
  const pieces: Buffer[] = [];
  for (;;) {
    const piece = Buffer.alloc(7_000);
    // oxlint-disable-next-line no-await-in-loop
    const bytes = await content.read(piece);
    if (bytes === 0) break;
    pieces.push(piece.subarray(0, bytes));
  }
  content.close();
  return Buffer.concat(pieces);
}

const stores = {
  disk: createDiskStore(folder),
  s3: s3(),
  both: joinStores([createDiskStore(join(folder, 'both')), s3()]),
};

for (const [name, store] of Object.entries(stores)) {
  describe(name, () => {
    const content = randomBytes(600_000);
    const sha256 = hashOf(content);
    const whole = { start: 0, end: content.length - 1 };

    before(async () => {
      assert.equal(await store.has(sha256), false);
      const file = await temporary.write(inPieces(content));
      assert.deepEqual([file.sha256, file.bytes], [sha256, content.length]);
      await store.put(file);
      // The same content again.
      await store.put(file);
      await temporary.discard(file.path);
    });

    test('a content is read as it was put, whole or in part', async () => {
      assert.equal(await store.has(sha256), true);
      assert.deepEqual(await readAll(store, sha256, whole), content);
      const part = await readAll(store, sha256, { start: 5, end: 20_004 });
      assert.deepEqual(part, content.subarray(5, 20_005));
    });

    test('a content is a file while it is needed', async () => {
      const file = await store.asFile(sha256);
      assert.deepEqual(await readFile(file!.path), content);
      await file!.release();
    });

    test('an empty content is one too', async () => {
      const file = await temporary.write(inPieces(Buffer.alloc(0)));
      await store.put(file);
      await temporary.discard(file.path);
      assert.equal((await readAll(store, file.sha256, { start: 0, end: -1 })).length, 0);
    });

    test('what is not there or was deleted is null', async () => {
      const other = hashOf(Buffer.from(name));
      assert.equal(await store.open(other, { start: 0, end: 9 }), null);
      assert.equal(await store.asFile(other), null);
      await store.delete(other);
      await store.delete(sha256);
      assert.equal(await store.open(sha256, whole), null);
    });
  });
}

test('temporary files are gone after all of this', async () => {
  assert.deepEqual(await readdir(join(folder, 'tmp')), []);
});

test('a content that breaks off leaves no file', async () => {
  async function* broken() {
    yield Buffer.from('begun');
    throw new Error('the client went away');
  }
  await assert.rejects(temporary.write(broken()), /went away/);
  assert.deepEqual(await readdir(join(folder, 'tmp')), []);
});

test('what a dead process left is swept, what is new stays', async () => {
  const old = await temporary.write(inPieces(Buffer.from('old')));
  const fresh = await temporary.write(inPieces(Buffer.from('new')));
  await utimes(old.path, 1, 1);
  await temporary.sweep(Date.now());
  assert.deepEqual(await readdir(join(folder, 'tmp')), [fresh.path.split('/').at(-1)]);
  await temporary.discard(fresh.path);
});

test('an object store that fails for a moment is asked again, one that refuses is not', async () => {
  const file = await temporary.write(inPieces(Buffer.from('kept in spite of it')));
  objects.failures.push(500, 503);
  await stores.s3.put(file);
  assert.equal(await stores.s3.has(file.sha256), true);
  await assert.rejects(s3('another secret').put(file), /403/);
  objects.failures.push(500, 500, 500);
  await assert.rejects(stores.s3.has(file.sha256), /500/);
  await temporary.discard(file.path);
});

test('contents from before are found in stores that get no new ones', async () => {
  const [old, fresh] = [createDiskStore(join(folder, 'old')), createDiskStore(join(folder, 'new'))];
  const joined = joinStores([fresh], [old]);
  const file = await temporary.write(inPieces(Buffer.from('from before')));
  await old.put(file);
  assert.equal(await joined.has(file.sha256), true);
  const { sha256 } = file;
  const next = await temporary.write(inPieces(Buffer.from('from now')));
  await joined.put(next);
  assert.deepEqual([await old.has(next.sha256), await fresh.has(next.sha256)], [false, true]);
  await joined.delete(sha256);
  assert.equal(await old.has(sha256), false);
});
