import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from './config.ts';

async function load(yaml: string) {
  const folder = await mkdtemp(join(tmpdir(), 'lattice-config-'));
  const path = join(folder, 'homeserver.yaml');
  await writeFile(path, `server_name: test.example\n${yaml}\n`);
  try {
    return (await loadConfig([path])).config;
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('sizes are bytes or have a unit of 1024', async () => {
  const { media } = await load('max_upload_size: 10K\nmax_image_pixels: 500MiB');
  assert.equal(media.uploadBytesMax, 10 * 1024);
  assert.equal(media.pixelsMax, 500 * 2 ** 20);
  await assert.rejects(load('max_upload_size: 10 apples'), /a size such as/);
});

test('an object store as the plug-in for Synapse has it', async () => {
  const { media } = await load(`
enable_local_media_storage: false
media_storage_providers:
  - module: s3_storage_provider.S3StorageProviderBackend
    store_local: true
    config:
      bucket: media
      endpoint_url: https://objects.example/
      prefix: /here
      access_key_id: a
      secret_access_key: b`);
  assert.equal(media.keepsLocally, false);
  assert.deepEqual(media.objectStores, [
    {
      bucket: 'media',
      endpoint: 'https://objects.example',
      region: 'us-east-1',
      prefix: 'here/',
      accessKeyId: 'a',
      secretAccessKey: 'b',
      sessionToken: null,
      storageClass: null,
    },
  ]);
});

test('media are kept somewhere', async () => {
  await assert.rejects(load('enable_local_media_storage: false'), /media_storage_providers/);
  await assert.rejects(load('media_storage_providers: [{module: x}]'), /module must be one of/);
});

test('previews need to know what not to contact', async () => {
  assert.equal((await load('')).previews, null);
  await assert.rejects(load('url_preview_enabled: true'), /must be set/);
  const { previews } = await load('url_preview_enabled: true\nurl_preview_ip_range_blacklist: []');
  assert.deepEqual(previews?.deny, []);
  await assert.rejects(load("url_preview_url_blacklist: [{netloc: '^['}]"), /regular expression/);
  await assert.rejects(load('ip_range_blacklist: [10.0.0.0/40]'), /a range such as/);
});
