import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const base = '/_matrix/client/v3/room_keys';
const algorithm = 'm.megolm_backup.v1.curve25519-aes-sha2';
const authData = { public_key: 'abc', signatures: {} };
const roomId = '!room:test.example';

const keyData = (first: number, more: Json = {}): Json => ({
  first_message_index: first,
  forwarded_count: 0,
  is_verified: false,
  session_data: { ciphertext: `from ${first}`, ephemeral: 'e', mac: 'm' },
  ...more,
});

async function newBackup(client: TestClient): Promise<string> {
  const body = { algorithm, auth_data: authData };
  return (await client.ok('POST', `${base}/version`, body))['version'] as string;
}

const keysPath = (version: string, ...parts: string[]) =>
  `${[`${base}/keys`, ...parts.map(encodeURIComponent)].join('/')}?version=${version}`;

test('backups: the newest is the current one, and only auth_data can change', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  assert.equal(await alice.refused('GET', `${base}/version`), '404 M_NOT_FOUND');
  const first = await newBackup(alice);
  const second = await newBackup(alice);
  const shown = { algorithm, auth_data: authData, count: 0, etag: '0' };
  assert.deepEqual(await alice.ok('GET', `${base}/version`), { ...shown, version: second });
  assert.deepEqual(await alice.ok('GET', `${base}/version/${first}`), { ...shown, version: first });
  const changed = { algorithm, auth_data: { public_key: 'new', signatures: {} } };
  await alice.ok('PUT', `${base}/version/${second}`, { ...changed, version: second });
  assert.deepEqual((await alice.ok('GET', `${base}/version`))['auth_data'], changed.auth_data);
  const put = (body: Json) => alice.refused('PUT', `${base}/version/${second}`, body);
  assert.equal(await put({ ...changed, algorithm: 'other' }), '400 M_INVALID_PARAM');
  assert.equal(await put({ ...changed, version: first }), '400 M_INVALID_PARAM');
  await alice.ok('DELETE', `${base}/version/${second}`);
  assert.equal(await alice.refused('DELETE', `${base}/version/${second}`), '404 M_NOT_FOUND');
  assert.equal(await put(changed), '404 M_NOT_FOUND');
  assert.equal(await alice.refused('GET', `${base}/version/x`), '404 M_NOT_FOUND');
  assert.equal((await alice.ok('GET', `${base}/version`))['version'], first);
  const third = await newBackup(alice);
  assert.ok(third !== second, 'versions are not used twice');
  const bob = await TestClient.register(server.url, 'bob');
  assert.equal(await bob.refused('GET', `${base}/version/${first}`), '404 M_NOT_FOUND');
  assert.equal(await bob.refused('DELETE', `${base}/version/${first}`), '404 M_NOT_FOUND');
});

test('keys are added, read and deleted one by one, by room and all together', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const version = await newBackup(alice);
  const rooms = {
    [roomId]: { sessions: { s1: keyData(1), 's/2': keyData(2) } },
    '!other:test.example': { sessions: { s1: keyData(3) } },
  };
  const added = await alice.ok('PUT', keysPath(version), { rooms });
  assert.deepEqual(added, { etag: '1', count: 3 });
  assert.deepEqual(await alice.ok('GET', keysPath(version)), { rooms });
  assert.deepEqual(await alice.ok('GET', keysPath(version, roomId)), rooms[roomId]);
  assert.deepEqual(await alice.ok('GET', keysPath(version, roomId, 's/2')), keyData(2));
  await alice.ok('PUT', keysPath(version, roomId), { sessions: { s3: keyData(4) } });
  const fourth = await alice.ok('PUT', keysPath(version, roomId, 's4'), keyData(5));
  assert.deepEqual(fourth, { etag: '3', count: 5 });
  const info = await alice.ok('GET', `${base}/version`);
  assert.deepEqual([info['etag'], info['count']], ['3', 5]);
  const gone = await alice.ok('DELETE', keysPath(version, roomId, 's4'));
  assert.deepEqual(gone, { etag: '4', count: 4 });
  assert.equal(await alice.refused('GET', keysPath(version, roomId, 's4')), '404 M_NOT_FOUND');
  assert.equal((await alice.ok('DELETE', keysPath(version, roomId)))['count'], 1);
  assert.deepEqual(await alice.ok('GET', keysPath(version, roomId)), { sessions: {} });
  assert.equal((await alice.ok('DELETE', keysPath(version)))['count'], 0);
  assert.deepEqual(await alice.ok('GET', keysPath(version)), { rooms: {} });
});

test('a worse key does not replace a better one', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const version = await newBackup(alice);
  const path = keysPath(version, roomId, 's');
  const kept = keyData(5, { is_verified: true, forwarded_count: 3 });
  await alice.ok('PUT', path, kept);
  const worse = [
    keyData(1),
    keyData(6, { is_verified: true }),
    { ...kept, forwarded_count: 4 },
    { ...kept, session_data: { ciphertext: 'same rank' } },
  ];
  for (const key of worse) {
    // oxlint-disable-next-line no-await-in-loop
    assert.deepEqual(await alice.ok('PUT', path, key), { etag: '1', count: 1 });
    // oxlint-disable-next-line no-await-in-loop
    assert.deepEqual(await alice.ok('GET', path), kept);
  }
  const better = keyData(4, { is_verified: true, forwarded_count: 9 });
  assert.deepEqual(await alice.ok('PUT', path, better), { etag: '2', count: 1 });
  assert.deepEqual(await alice.ok('GET', path), better);
});

test('only the current backup takes keys; what is missing or wrong is refused', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const old = await newBackup(alice);
  await alice.ok('PUT', keysPath(old, roomId, 's'), keyData(1));
  const current = await newBackup(alice);
  const wrong = await alice.request('PUT', keysPath(old, roomId, 's'), keyData(0));
  assert.equal(wrong.status, 403);
  assert.equal(wrong.body['errcode'], 'M_WRONG_ROOM_KEYS_VERSION');
  assert.equal(wrong.body['current_version'], current);
  assert.deepEqual(await alice.ok('GET', keysPath(old, roomId, 's')), keyData(1));
  const notFound = '404 M_NOT_FOUND';
  for (const method of ['GET', 'DELETE']) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await alice.refused(method, keysPath('999999', roomId)), notFound);
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await alice.refused(method, keysPath('none')), notFound);
  }
  const put = (path: string, body: unknown) => alice.refused('PUT', path, body);
  assert.equal(await put(keysPath('999999', roomId, 's'), keyData(1)), notFound);
  assert.equal(await put(`${base}/keys/${roomId}/s`, keyData(1)), '400 M_MISSING_PARAM');
  const path = keysPath(current, roomId, 's');
  assert.equal(await put(path, { ...keyData(1), is_verified: 'yes' }), '400 M_BAD_JSON');
  assert.equal(await put(path, { ...keyData(1), first_message_index: -1 }), '400 M_BAD_JSON');
  assert.equal(
    await put(keysPath(current, roomId, 's'.repeat(256)), keyData(1)),
    '400 M_INVALID_PARAM',
  );
  const zero = await alice.request('GET', `${base}/keys/%00/s?version=${current}`);
  assert.ok(zero.status < 500);
});

test('legacy paths work', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const version = await newBackup(alice);
  const path = (prefix: string) =>
    `/_matrix/client/${prefix}/room_keys/keys/${encodeURIComponent(roomId)}/s?version=${version}`;
  await alice.ok('PUT', path('unstable'), keyData(1));
  assert.deepEqual(await alice.ok('GET', path('r0')), keyData(1));
});
