import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { canonicalJson } from '../../src/matrix/canonical-json.ts';
import type { JsonObject } from '../../src/matrix/pdu.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { RemoteRoom } from '../harness/remote-room.ts';
import { startRemoteServer, type RemoteServer } from '../harness/remote-server.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

const v1 = '/_matrix/federation/v1';
const v3 = '/_matrix/client/v3';
const encoded = encodeURIComponent;

let server: TestServer;
let remote: RemoteServer;
/** What the remote server answers about keys: by path; content → answer. */
let answers: Record<string, (content: Json) => Json>;
const rooms: RemoteRoom[] = [];
before(async () => {
  [server, remote] = await Promise.all([startTestServer(), startRemoteServer()]);
  remote.answer = (request) => {
    const path = decodeURIComponent(request.uri.slice(v1.length));
    const answer = answers[path]?.(request.content);
    if (answer) return [200, answer];
    for (const room of rooms) {
      const shown = room.answer(request);
      if (shown) return shown;
    }
    return null;
  };
});
after(() => Promise.all([server.close(), remote.stop()]));

const register = (name: string) => TestClient.register(server.url, name);
const upload = (user: TestClient, body: Json) => user.ok('POST', `${v3}/keys/upload`, body);
const query = (by: TestClient, deviceKeys: Record<string, string[]>, more: Json = {}) =>
  by.ok('POST', `${v3}/keys/query`, { device_keys: deviceKeys, ...more });

/** An ed25519 key that signs JSON. */
class Signer {
  readonly publicKey: string;
  readonly #secret: KeyObject;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    this.#secret = privateKey;
    const der = publicKey.export({ type: 'spki', format: 'der' });
    this.publicKey = der.subarray(-32).toString('base64').replace(/=+$/, '');
  }

  sign(object: Json, userId: string): Json {
    const text = Buffer.from(canonicalJson(object));
    const signature = sign(null, text, this.#secret).toString('base64').replace(/=+$/, '');
    return { ...object, signatures: { [userId]: { [`ed25519:${this.publicKey}`]: signature } } };
  }
}

const deviceKeys = (userId: string, deviceId: string, key = `key of ${deviceId}`): JsonObject => ({
  user_id: userId,
  device_id: deviceId,
  algorithms: ['m.megolm.v1.aes-sha2'],
  keys: { [`ed25519:${deviceId}`]: key },
  signatures: {},
});

const crossSigningKey = (userId: string, usage: string, publicKey: string): Json => ({
  user_id: userId,
  usage: [usage],
  keys: { [`ed25519:${publicKey}`]: publicKey },
});

function crossSigningKeys(userId: string) {
  const signer = new Signer();
  const selfSigning = crossSigningKey(userId, 'self_signing', new Signer().publicKey);
  return {
    master_key: crossSigningKey(userId, 'master', signer.publicKey),
    self_signing_key: signer.sign(selfSigning, userId),
  };
}

/** A user of this server in a room with one of the other. */
async function sharing(version = '11') {
  const room = new RemoteRoom(remote, { version });
  rooms.push(room);
  const bob = `@bob${rooms.length}:${remote.name}`;
  room.member(bob, 'join');
  const alice = await register('alice');
  await alice.ok('POST', `${v3}/join/${encoded(room.roomId)}?via=${encoded(remote.name)}`, {});
  return { room, bob, alice };
}

const askedFor = (part: string) => remote.asked.filter(({ uri }) => uri.includes(part)).length;

describe('another server asks for keys of users of this one', () => {
  const ask = (path: string, content?: JsonObject) =>
    remote.request(server.url, content ? 'POST' : 'GET', `${v1}${path}`, content);

  test('for the devices of a user', async () => {
    const alice = await register('alice');
    const path = `/user/devices/${encoded(alice.userId)}`;
    const { body: none } = await ask(path);
    assert.deepEqual(none['devices'], []);
    const keys = deviceKeys(alice.userId, alice.deviceId);
    await upload(alice, { device_keys: keys });
    await alice.ok('PUT', `${v3}/devices/${alice.deviceId}`, { display_name: 'Secret' });
    const { master_key: master, self_signing_key: selfSigning } = crossSigningKeys(alice.userId);
    const session = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: alice.userId },
    };
    const own = { master_key: master, self_signing_key: selfSigning };
    await alice.request('POST', `${v3}/keys/device_signing/upload`, { ...own, auth: session });
    const body = await eventually(async () => {
      const answer = await ask(path);
      assert.deepEqual(answer.body['devices'], [{ device_id: alice.deviceId, keys }]);
      assert.deepEqual(answer.body['master_key'], master);
      return answer.body;
    });
    assert.equal(body['user_id'], alice.userId);
    assert.ok((body['stream_id'] as number) > (none['stream_id'] as number));
    assert.deepEqual(body['self_signing_key'], selfSigning);
    const queried = await ask('/user/keys/query', {
      device_keys: { [alice.userId]: [], '@nobody:test.example': [] },
    });
    assert.deepEqual(queried.body, {
      device_keys: {
        [alice.userId]: { [alice.deviceId]: { ...keys, unsigned: {} } },
        '@nobody:test.example': {},
      },
      master_keys: { [alice.userId]: master },
      self_signing_keys: { [alice.userId]: selfSigning },
    });
    const other = await ask('/user/keys/query', { device_keys: { [alice.userId]: ['OTHER'] } });
    assert.deepEqual(other.body['device_keys'], { [alice.userId]: {} });
  });

  test('and claims one-time keys, each of which it gets once', async () => {
    const alice = await register('alice');
    const key = (name: string) => ({ key: name, signatures: { [alice.userId]: { z: 's' } } });
    await upload(alice, {
      device_keys: deviceKeys(alice.userId, alice.deviceId),
      one_time_keys: { 'signed_curve25519:A': key('a') },
      fallback_keys: { 'signed_curve25519:F': key('f') },
    });
    const claim = async () => {
      const wanted = { [alice.userId]: { [alice.deviceId]: 'signed_curve25519', OTHER: 'x' } };
      const { body } = await ask('/user/keys/claim', { one_time_keys: wanted });
      return body['one_time_keys'];
    };
    const shown = (name: string, value: string) => ({
      [alice.userId]: { [alice.deviceId]: { [`signed_curve25519:${name}`]: key(value) } },
    });
    assert.deepEqual(await claim(), shown('A', 'a'));
    assert.deepEqual(await claim(), shown('F', 'f'));
    assert.deepEqual(await claim(), shown('F', 'f'));
  });

  test('and is told the names of devices where that is allowed', async (t) => {
    const telling = await startTestServer('allow_device_name_lookup_over_federation: true');
    t.after(() => telling.close());
    const alice = await TestClient.register(telling.url, 'alice');
    const keys = deviceKeys(alice.userId, alice.deviceId);
    await upload(alice, { device_keys: keys });
    await alice.ok('PUT', `${v3}/devices/${alice.deviceId}`, { display_name: 'Phone' });
    const get = `${v1}/user/devices/${encoded(alice.userId)}`;
    const named = { device_id: alice.deviceId, keys, device_display_name: 'Phone' };
    await eventually(async () => {
      const { body } = await remote.request(telling.url, 'GET', get);
      assert.deepEqual(body['devices'], [named]);
    });
    const path = `${v1}/user/keys/query`;
    const wanted = { device_keys: { [alice.userId]: [alice.deviceId] } };
    const { body } = await remote.request(telling.url, 'POST', path, wanted);
    const { [alice.deviceId]: shown } = (body['device_keys'] as Json)[alice.userId] as Json;
    assert.deepEqual(shown, { ...keys, unsigned: { device_display_name: 'Phone' } });
  });

  test('but not for those of others', async () => {
    const unknown = await ask(`/user/devices/${encoded('@nobody-here:test.example')}`);
    assert.deepEqual([unknown.status, unknown.body['errcode']], [404, 'M_NOT_FOUND']);
    const userId = '@bob:elsewhere.example';
    for (const [path, content] of [
      [`/user/devices/${encoded(userId)}`],
      ['/user/keys/query', { device_keys: { [userId]: [] } }],
      ['/user/keys/claim', { one_time_keys: { [userId]: {} } }],
    ] as [string, JsonObject?][]) {
      // oxlint-disable-next-line no-await-in-loop
      const answer = await ask(path, content);
      assert.deepEqual([answer.status, answer.body['errcode']], [400, 'M_INVALID_PARAM'], path);
    }
  });
});

describe('keys of users of another server', () => {
  test('are asked for there while no room is shared', async () => {
    const alice = await register('alice');
    const bob = `@bob:${remote.name}`;
    const keys = deviceKeys(bob, 'A');
    const cross = crossSigningKeys(bob);
    const asked: Json[] = [];
    answers = {
      '/user/keys/query'(content) {
        asked.push(content);
        return {
          device_keys: {
            [bob]: {
              A: { ...keys, unsigned: { device_display_name: 'Phone', other: 1 } },
              B: deviceKeys(bob, 'C'),
              D: 'none',
            },
            '@stranger:elsewhere.example': { A: deviceKeys('@stranger:elsewhere.example', 'A') },
          },
          master_keys: { [bob]: cross.master_key },
          self_signing_keys: { [bob]: cross.self_signing_key },
        };
      },
    };
    const answer = await query(alice, { [bob]: ['A'] });
    assert.deepEqual(answer, {
      failures: {},
      device_keys: { [bob]: { A: { ...keys, unsigned: { device_display_name: 'Phone' } } } },
      master_keys: { [bob]: cross.master_key },
      self_signing_keys: { [bob]: cross.self_signing_key },
      user_signing_keys: {},
    });
    assert.deepEqual(asked, [{ device_keys: { [bob]: ['A'] } }]);
    await query(alice, { [bob]: [] });
    assert.equal(asked.length, 2, 'nobody would tell of changes');
    cross.self_signing_key['signatures'] = {};
    assert.deepEqual((await query(alice, { [bob]: [] }))['self_signing_keys'], {});
  });

  test('are remembered while a room is shared', async () => {
    const { alice, bob } = await sharing();
    const keys = deviceKeys(bob, 'A');
    const cross = crossSigningKeys(bob);
    answers = {
      [`/user/devices/${bob}`]: () => ({
        user_id: bob,
        stream_id: 5,
        devices: [{ device_id: 'A', keys, device_display_name: 'Phone' }, { device_id: 'B' }],
        ...cross,
      }),
    };
    const shown = {
      failures: {},
      device_keys: { [bob]: { A: { ...keys, unsigned: { device_display_name: 'Phone' } } } },
      master_keys: { [bob]: cross.master_key },
      self_signing_keys: { [bob]: cross.self_signing_key },
      user_signing_keys: {},
    };
    const path = encoded(bob);
    await eventually(async () => {
      const before = askedFor(path);
      assert.deepEqual(await query(alice, { [bob]: [] }), shown);
      assert.equal(askedFor(path), before, 'not asked again');
    });
    assert.ok(askedFor(path) > 0);
    assert.deepEqual((await query(alice, { [bob]: ['B'] }))['device_keys'], { [bob]: {} });
    const carol = await register('carol');
    answers = { '/user/keys/query': () => ({ device_keys: {} }) };
    assert.deepEqual(await query(carol, { [bob]: [] }), shown);

    const room = rooms.at(-1)!;
    await alice.ok('POST', `${alice.room(room.roomId)}/leave`, {});
    await eventually(async () => {
      assert.deepEqual(
        (await query(alice, { [bob]: [] }))['device_keys'],
        {},
        'no longer followed',
      );
    });
  });

  test('are signed by users of this server, which they alone are shown', async () => {
    const { alice, bob } = await sharing();
    const { master_key: master } = crossSigningKeys(bob);
    answers = {
      [`/user/devices/${bob}`]: () => ({
        user_id: bob,
        stream_id: 5,
        devices: [],
        master_key: master,
      }),
    };
    const [own, userSigning] = [new Signer(), new Signer()];
    const { userId } = alice;
    const signing = crossSigningKey(userId, 'user_signing', userSigning.publicKey);
    await alice.ok('POST', `${v3}/keys/device_signing/upload`, {
      master_key: crossSigningKey(userId, 'master', own.publicKey),
      user_signing_key: own.sign(signing, userId),
    });
    const signed = userSigning.sign(master, userId);
    const target = Object.values(master['keys'] as Record<string, string>)[0]!;
    const masterFor = async (reader: TestClient) =>
      (await query(reader, { [bob]: [] }))['master_keys'][bob] as Json;
    await eventually(async () => {
      assert.deepEqual(await masterFor(alice), master);
      const { failures } = await alice.ok('POST', `${v3}/keys/signatures/upload`, {
        [bob]: { [target]: signed },
      });
      assert.deepEqual(failures, {});
    });
    await eventually(async () => assert.deepEqual(await masterFor(alice), signed));
    assert.deepEqual(await masterFor(await register('carol')), master);
  });

  test('of many users are asked for together', async () => {
    const room = new RemoteRoom(remote);
    rooms.push(room);
    const users = Array.from({ length: 12 }, (_, i) => `@many${rooms.length}x${i}:${remote.name}`);
    for (const userId of users) room.member(userId, 'join');
    const alice = await register('alice');
    await alice.ok('POST', `${v3}/join/${encoded(room.roomId)}?via=${encoded(remote.name)}`, {});
    answers = {
      '/user/keys/query': ({ device_keys: wanted }) => ({
        device_keys: Object.fromEntries(
          Object.keys(wanted as Json).map((userId) => [userId, { A: deviceKeys(userId, 'A') }]),
        ),
      }),
    };
    const wanted = Object.fromEntries(users.map((userId) => [userId, []]));
    await eventually(async () => {
      const before = askedFor('/user/keys/query');
      const { device_keys: shown } = await query(alice, wanted);
      assert.deepEqual(Object.keys(shown as Json).toSorted(), users.toSorted());
      assert.equal(askedFor('/user/keys/query'), before, 'not asked again');
    });
  });

  test('are missing where a server does not answer, or not in time', async (t) => {
    const alice = await register('alice');
    const gone = await startRemoteServer();
    await gone.stop();
    const slow = await startRemoteServer();
    t.after(() => slow.stop());
    const { promise: isOver, resolve } = Promise.withResolvers<void>();
    slow.answer = async () => {
      await isOver;
      return [200, {}];
    };
    const bob = `@bob:${remote.name}`;
    answers = { '/user/keys/query': () => ({ device_keys: { [bob]: {} } }) };
    const wanted = { [`@a:${gone.name}`]: [], [`@b:${slow.name}`]: [], [bob]: [], '@:': [] };
    const answer = await query(alice, wanted, { timeout: 1_000 });
    resolve();
    assert.deepEqual(answer['device_keys'], { [bob]: {} });
    const failures = answer['failures'] as Json;
    assert.deepEqual(Object.keys(failures).toSorted(), [gone.name, slow.name].toSorted());
    assert.equal(failures[slow.name].status, 504);
    assert.equal(failures[gone.name].status, 503);
    assert.equal(typeof failures[gone.name].message, 'string');
  });

  test('one-time keys are claimed there', async () => {
    const alice = await register('alice');
    const bob = `@bob:${remote.name}`;
    const key = { key: 'x', signatures: { [bob]: { 'ed25519:A': 's' } } };
    const asked: Json[] = [];
    answers = {
      '/user/keys/claim'(content) {
        asked.push(content);
        const keys = { 'other:B': key, 'signed_curve25519:A': key };
        return { one_time_keys: { [bob]: { A: keys, C: keys }, '@c:x': { A: keys } } };
      },
    };
    const wanted = { [bob]: { A: 'signed_curve25519', B: 'signed_curve25519' } };
    const claim = (one_time_keys: Json) =>
      alice.ok('POST', `${v3}/keys/claim`, { one_time_keys, timeout: 5_000 });
    assert.deepEqual(await claim(wanted), {
      failures: {},
      one_time_keys: { [bob]: { A: { 'signed_curve25519:A': key } } },
    });
    assert.deepEqual(asked, [{ one_time_keys: wanted }]);
    answers = {};
    const { failures, one_time_keys: none } = await claim(wanted);
    assert.deepEqual(none, {});
    assert.equal((failures as Json)[remote.name].status, 404);
  });
});
