import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient } from '../harness/client.ts';
import { codeOf, downloadPath, pathOf, rawRequest, upload } from '../harness/media.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

const api = '/_synapse/admin/v1';
const folder = await mkdtemp(join(tmpdir(), 'lattice-media-'));
let server: TestServer;
let admin: TestClient;
let alice: TestClient;

before(async () => {
  server = await startTestServer(`media_store_path: ${folder}`, ['media_repository']);
  admin = await registerAdmin(server.url);
  alice = await TestClient.register(server.url, 'alice');
});
after(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

const unique = () => new Uint8Array(randomBytes(1_000));
const status = async (client: TestClient, uri: string, query = '') =>
  (await rawRequest(client, 'GET', downloadPath(uri) + query)).status;
const idOf = (uri: string) => uri.split('/').at(-1)!;

/** Contents on the disk. */
async function contentCount(): Promise<number> {
  const contents = join(folder, 'content');
  const found = await readdir(contents, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).length;
}

describe('quarantine', () => {
  test('holds for the same content, now and later, until it is lifted', async () => {
    const content = unique();
    const uri = await upload(alice, content);
    const same = await upload(admin, content);
    const path = `${api}/media/quarantine/${pathOf(uri)}`;
    assert.equal(await alice.refused('POST', path, {}), '403 M_FORBIDDEN');
    await admin.ok('POST', path, {});
    const later = await upload(alice, content);
    for (const one of [uri, same, later]) {
      // oxlint-disable-next-line no-await-in-loop
      assert.equal(await status(alice, one), 404);
    }
    const bypass = '?admin_unsafely_bypass_quarantine=true';
    assert.equal(await status(admin, uri, bypass), 200);
    assert.equal(await status(alice, uri, bypass), 404);
    await admin.ok('POST', `${api}/media/unquarantine/${pathOf(uri)}`, {});
    assert.equal(await status(alice, later), 200);
    const { changes, next_batch: next } = await admin.ok('GET', `${api}/media/quarantine_changes`);
    const first = { origin: 'test.example', media_id: idOf(uri), quarantined: true };
    assert.ok(changes.some((change: unknown) => JSON.stringify(change) === JSON.stringify(first)));
    const more = await admin.ok('GET', `${api}/media/quarantine_changes?from=${next}`);
    assert.deepEqual(more, { next_batch: next, changes: [] });
  });

  test('of all that a user has uploaded, except what is protected', async () => {
    const user = await TestClient.register(server.url, 'user');
    const [first, second, safe] = await Promise.all(
      [unique(), unique(), unique()].map((content) => upload(user, content)),
    );
    await admin.ok('POST', `${api}/media/protect/${idOf(safe!)}`, {});
    const path = `${api}/user/${encodeURIComponent(user.userId)}/media/quarantine`;
    assert.deepEqual(await admin.ok('POST', path, {}), { num_quarantined: 2 });
    assert.deepEqual([await status(user, first!), await status(user, second!)], [404, 404]);
    assert.equal(await status(user, safe!), 200);
    await admin.ok('POST', `${api}/media/unprotect/${idOf(safe!)}`, {});
    assert.deepEqual(await admin.ok('POST', path, {}), { num_quarantined: 1 });
    const unknown = await admin.refused('POST', `${api}/media/protect/unknown`, {});
    assert.equal(unknown, '404 M_NOT_FOUND');
  });

  test('of all that a room shows', async () => {
    const roomId = await alice.createRoom();
    const uri = await upload(alice, unique());
    const small = await upload(alice, unique());
    const content = {
      msgtype: 'm.image',
      body: 'x',
      url: uri,
      info: { thumbnail_url: small },
    };
    await alice.ok('PUT', `${alice.room(roomId)}/send/m.room.message/1`, content);
    const other = 'mxc://other.example/abc';
    await alice.setState(roomId, 'm.room.avatar', { url: other });
    const path = `${api}/room/${encodeURIComponent(roomId)}/media`;
    const listed = await admin.ok('GET', path);
    assert.deepEqual(new Set(listed['local']), new Set([uri, small]));
    assert.deepEqual(listed['remote'], [other]);
    const old = `${api}/quarantine_media/${encodeURIComponent(roomId)}`;
    assert.deepEqual(await admin.ok('POST', old, {}), { num_quarantined: 2 });
    assert.deepEqual(await admin.ok('POST', `${path}/quarantine`, {}), { num_quarantined: 0 });
    assert.equal(await status(alice, small), 404);
    assert.equal(
      await admin.refused('GET', `${api}/room/!no:test.example/media`),
      '404 M_NOT_FOUND',
    );
  });
});

describe('lists', () => {
  test('of a user, in pages and in any order', async () => {
    const user = await TestClient.register(server.url, 'user');
    const uris: string[] = [];
    for (const bytes of [300, 100, 200]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other in time
      uris.push(await upload(user, unique().slice(0, bytes), 'text/plain', `${bytes}.txt`));
    }
    const path = `${api}/users/${encodeURIComponent(user.userId)}/media`;
    const ids = async (query: string) => {
      const body = await admin.ok('GET', `${path}?${query}`);
      return (body['media'] as { media_id: string }[]).map((media) => media.media_id);
    };
    const [a, b, c] = uris.map(idOf);
    assert.deepEqual(await ids(''), [c, b, a]);
    assert.deepEqual(await ids('order_by=media_length'), [b, c, a]);
    assert.deepEqual(await ids('order_by=upload_name&dir=b'), [a, c, b]);
    const page = await admin.ok('GET', `${path}?limit=2`);
    assert.deepEqual([page['total'], page['next_token'], page['media'].length], [3, 2, 2]);
    assert.deepEqual(await ids('from=2'), [a]);
    assert.equal(await admin.refused('GET', `${path}?order_by=x`), '400 M_INVALID_PARAM');
    const { media_info: info } = await admin.ok('GET', `${api}/media/${pathOf(uris[0]!)}`);
    assert.equal(info.user_id, user.userId);
    assert.deepEqual([info.media_length, info.upload_name], [300, '300.txt']);
  });

  test('are for admins', async () => {
    const path = `${api}/users/${encodeURIComponent(alice.userId)}/media`;
    assert.equal(await alice.refused('GET', path), '403 M_FORBIDDEN');
    const unknown = `${api}/users/${encodeURIComponent('@no:test.example')}/media`;
    assert.equal(await admin.refused('GET', unknown), '404 M_NOT_FOUND');
  });
});

describe('deletion', () => {
  test('takes the content from the disk, when nothing else has it', async () => {
    const content = unique();
    const before = await contentCount();
    const uri = await upload(alice, content);
    const same = await upload(alice, content);
    assert.equal(await contentCount(), before + 1);
    const deleted = await admin.ok('DELETE', `${api}/media/${pathOf(uri)}`);
    assert.deepEqual(deleted, { deleted_media: [idOf(uri)], total: 1 });
    assert.equal(await status(alice, uri), 404);
    assert.equal(await status(alice, same), 200);
    await admin.ok('DELETE', `${api}/media/${pathOf(same)}`);
    assert.equal(await contentCount(), before);
    assert.equal(await admin.refused('DELETE', `${api}/media/${pathOf(same)}`), '404 M_NOT_FOUND');
    const again = await upload(alice, content);
    assert.equal(await status(alice, again), 200);
  });

  test('of a user’s uploads', async () => {
    const user = await TestClient.register(server.url, 'user');
    const uri = await upload(user, unique());
    await upload(user, unique());
    const path = `${api}/users/${encodeURIComponent(user.userId)}/media`;
    assert.equal((await admin.ok('DELETE', `${path}?limit=1`))['total'], 1);
    assert.equal((await admin.ok('DELETE', path))['total'], 1);
    assert.equal(await status(user, uri), 404);
  });

  test('of what is old and large, but of no avatar', async () => {
    const [avatar, large, small] = await Promise.all([
      upload(alice, new Uint8Array(randomBytes(5_000))),
      upload(alice, new Uint8Array(randomBytes(5_000))),
      upload(alice, unique()),
    ]);
    const profile = `/_matrix/client/v3/profile/${encodeURIComponent(alice.userId)}/avatar_url`;
    await alice.ok('PUT', profile, { avatar_url: avatar });
    const path = (beforeTs: number, more = '') =>
      `${api}/media/delete?before_ts=${beforeTs}&size_gt=2000${more}`;
    assert.equal((await admin.ok('POST', path(Date.now() - 60_000), {}))['total'], 0);
    const deleted = await admin.ok('POST', path(Date.now() + 1000), {});
    assert.deepEqual(deleted, { deleted_media: [idOf(large)], total: 1 });
    assert.equal(await status(alice, small), 200);
    assert.equal(await status(alice, avatar), 200);
    const old = `${api}/media/test.example/delete?before_ts=${Date.now() + 1000}&size_gt=2000`;
    const last = await admin.ok('POST', `${old}&keep_profiles=false`, {});
    assert.deepEqual(last, { deleted_media: [idOf(avatar)], total: 1 });
    assert.equal(await admin.refused('POST', path(1_700_000_000), {}), '400 M_INVALID_PARAM');
  });

  test('of copies of other servers’ media', async () => {
    const path = `${api}/purge_media_cache?before_ts=${Date.now()}`;
    assert.deepEqual(await admin.ok('POST', path, {}), { deleted: 0 });
    const remote = await rawRequest(admin, 'DELETE', `${api}/media/other.example/abc`);
    assert.equal(await codeOf(remote), '400 M_UNKNOWN');
  });
});
