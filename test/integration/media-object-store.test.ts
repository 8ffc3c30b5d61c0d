import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import sharp from 'sharp';
import { startTestObjectStore } from '../../src/media/storage/test-object-store.ts';
import { TestClient } from '../harness/client.ts';
import { codeOf, downloadPath, rawRequest, thumbnailPath, upload } from '../harness/media.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

const secret = 'secret of the store';
const objects = await startTestObjectStore(secret);
const folder = await mkdtemp(join(tmpdir(), 'lattice-media-'));
let server: TestServer;
let alice: TestClient;

before(async () => {
  const options = `
media_store_path: ${folder}
enable_local_media_storage: false
media_storage_providers:
  - module: s3_storage_provider.S3StorageProviderBackend
    config:
      bucket: media
      endpoint_url: ${objects.endpoint}
      access_key_id: someone
      secret_access_key: ${secret}`;
  server = await startTestServer(options, ['media_repository']);
  alice = await TestClient.register(server.url, 'alice');
});
after(async () => {
  await server.close();
  objects.close();
  await rm(folder, { recursive: true });
});

test('media are kept in the object store, once, and nothing stays in the folder', async () => {
  const content = new Uint8Array(randomBytes(300_000));
  const uri = await upload(alice, content);
  await upload(alice, content);
  assert.equal(objects.objects.size, 1);
  assert.equal(existsSync(join(folder, 'content')), false);
  const answer = await rawRequest(alice, 'GET', downloadPath(uri), {
    headers: { Range: 'bytes=1000-199999' },
  });
  assert.equal(answer.status, 206);
  const part = Buffer.from(await answer.arrayBuffer());
  assert.deepEqual(part, Buffer.from(content.subarray(1_000, 200_000)));
});

test('thumbnails are made of what is there, and kept there', async () => {
  const picture = sharp({ create: { width: 400, height: 400, channels: 3, background: 'red' } });
  const uri = await upload(alice, new Uint8Array(await picture.png().toBuffer()), 'image/png');
  const earlier = objects.objects.size;
  const path = thumbnailPath(uri, 'width=96&height=96&method=crop');
  const first = await rawRequest(alice, 'GET', path);
  const { width } = await sharp(Buffer.from(await first.arrayBuffer())).metadata();
  assert.equal(width, 96);
  assert.equal(objects.objects.size, earlier + 1);
  assert.equal((await rawRequest(alice, 'GET', path)).status, 200);
  assert.equal(objects.objects.size, earlier + 1);
});

test('a content that the store has lost is not found', async () => {
  const uri = await upload(alice, new Uint8Array(randomBytes(100_000)));
  objects.objects.clear();
  assert.equal(await codeOf(await rawRequest(alice, 'GET', downloadPath(uri))), '404 M_NOT_FOUND');
});
