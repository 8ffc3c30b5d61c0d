import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { after, before, test } from 'node:test';
import { canonicalJson } from '../../src/matrix/canonical-json.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const base = '/_matrix/client/v3/keys';
const register = (name: string) => TestClient.register(server.url, name);

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

  sign(object: Json, userId: string, keyId = `ed25519:${this.publicKey}`): Json {
    const { signatures, unsigned: _unsigned, ...rest } = object;
    const text = Buffer.from(canonicalJson(rest));
    const signature = sign(null, text, this.#secret).toString('base64').replace(/=+$/, '');
    const earlier = (signatures ?? {}) as Record<string, Json>;
    return {
      ...object,
      signatures: { ...earlier, [userId]: { ...earlier[userId], [keyId]: signature } },
    };
  }
}

function deviceKeys(user: TestClient, signer = new Signer()): Json {
  const { userId, deviceId } = user;
  return signer.sign(
    {
      user_id: userId,
      device_id: deviceId,
      algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
      keys: {
        [`ed25519:${deviceId}`]: signer.publicKey,
        [`curve25519:${deviceId}`]: new Signer().publicKey,
      },
    },
    userId,
    `ed25519:${deviceId}`,
  );
}

const upload = (user: TestClient, body: Json) => user.ok('POST', `${base}/upload`, body);
const query = (user: TestClient, ...of: TestClient[]) =>
  user.ok('POST', `${base}/query`, {
    device_keys: Object.fromEntries(of.map(({ userId }) => [userId, []])),
  });
const oneTimeKey = (name: string, mark = 'a') => ({
  [`signed_curve25519:${name}`]: { key: `${name}${mark}`, signatures: { '@x:y': { z: 's' } } },
});

async function claim(by: TestClient, of: TestClient, algorithm = 'signed_curve25519') {
  const wanted = { [of.userId]: { [of.deviceId]: algorithm } };
  const body = await by.ok('POST', `${base}/claim`, { one_time_keys: wanted });
  const keys = body['one_time_keys'][of.userId]?.[of.deviceId] as Json | undefined;
  return keys ? Object.keys(keys) : [];
}

async function sharedRoom(a: TestClient, b: TestClient): Promise<string> {
  const roomId = await a.createRoom({ preset: 'public_chat' });
  await b.join(roomId);
  return roomId;
}

const password = (user: TestClient) => `password of ${user.userId.slice(1).split(':')[0]!}`;

async function logIn(user: TestClient): Promise<TestClient> {
  const device = new TestClient(server.url);
  const body = await device.ok('POST', '/_matrix/client/v3/login', {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: user.userId },
    password: password(user),
  });
  device.userId = user.userId;
  device.token = body['access_token'] as string;
  device.deviceId = body['device_id'] as string;
  return device;
}

test('uploaded keys are found, with the name of the device', async () => {
  const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
  const keys = deviceKeys(alice);
  const { one_time_key_counts: counts } = await upload(alice, {
    device_keys: { ...keys, unsigned: { a: 1 } },
    one_time_keys: { ...oneTimeKey('A'), ...oneTimeKey('B') },
  });
  assert.deepEqual(counts, { signed_curve25519: 2 });
  const path = `/_matrix/client/v3/devices/${alice.deviceId}`;
  await alice.ok('PUT', path, { display_name: 'Phone' });
  const answer = await query(bob, alice, bob);
  assert.deepEqual(answer['device_keys'], {
    [alice.userId]: {
      [alice.deviceId]: { ...keys, unsigned: { device_display_name: 'Phone' } },
    },
    [bob.userId]: {},
  });
  await alice.ok('PUT', path, { display_name: 'Tablet' });
  const renamed = (await query(bob, alice))['device_keys'][alice.userId][alice.deviceId] as Json;
  assert.deepEqual(renamed['unsigned'], { device_display_name: 'Tablet' });
  const one = await bob.ok('POST', `${base}/query`, {
    device_keys: { [alice.userId]: ['other'], '@no:test.example': [], '@a:localhost:1': [] },
  });
  assert.deepEqual(one['device_keys'], { [alice.userId]: {}, '@no:test.example': {} });
  assert.deepEqual(Object.keys(one['failures'] as Json), ['localhost:1']);
});

test('device keys that are incomplete or of somebody else are refused', async () => {
  const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
  const refused = (device_keys: Json) => alice.refused('POST', `${base}/upload`, { device_keys });
  const { user_id, device_id } = deviceKeys(alice);
  assert.equal(await refused({ user_id, device_id }), '400 M_BAD_JSON');
  assert.equal(await refused(deviceKeys(bob)), '400 M_INVALID_PARAM');
  const asObject = { device_keys: { [bob.userId]: { X: true } } };
  assert.equal(await alice.refused('POST', `${base}/query`, asObject), '400 M_BAD_JSON');
});

test('one-time keys are given out once each, in the order of their upload', async () => {
  const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
  await upload(alice, { one_time_keys: oneTimeKey('B') });
  await upload(alice, { one_time_keys: oneTimeKey('A') });
  assert.deepEqual(await claim(bob, alice), ['signed_curve25519:B']);
  assert.deepEqual(await claim(bob, alice), ['signed_curve25519:A']);
  assert.deepEqual(await claim(bob, alice), []);
  const many = Object.assign({}, ...Array.from({ length: 30 }, (_, i) => oneTimeKey(`m${i}`)));
  await upload(alice, { one_time_keys: many });
  const claims = await Promise.all(Array.from({ length: 35 }, () => claim(bob, alice)));
  assert.deepEqual(claims.flat().toSorted(), Object.keys(many as Json).toSorted());
});

test('the same key again is no other key, another key with its id is refused', async () => {
  const alice = await register('alice');
  const keys = { ...oneTimeKey('A'), ...oneTimeKey('B') };
  await upload(alice, { one_time_keys: keys });
  const resigned = {
    'signed_curve25519:A': { key: 'Aa', signatures: { '@x:y': { z: 'other' } } },
    ...oneTimeKey('C'),
  };
  const uploads = await Promise.all([
    upload(alice, { one_time_keys: resigned }),
    upload(alice, { one_time_keys: { ...oneTimeKey('C'), ...oneTimeKey('D') } }),
  ]);
  const counts = uploads.map((answer) => answer['one_time_key_counts'].signed_curve25519 as number);
  assert.deepEqual(counts, [3, 4]);
  const clash = { one_time_keys: { ...oneTimeKey('E'), ...oneTimeKey('B', 'other') } };
  assert.equal(await alice.refused('POST', `${base}/upload`, clash), '400 M_UNKNOWN');
  const later = await upload(alice, {});
  assert.deepEqual(later['one_time_key_counts'], { signed_curve25519: 4 });
});

test('the fallback key is given when there is no other, and sync says that it was', async () => {
  const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
  const state = async (since?: string) => {
    const answer = await alice.sync(since ? { since } : {});
    return [
      answer['device_one_time_keys_count'],
      answer['device_unused_fallback_key_types'],
      answer['next_batch'],
    ] as const;
  };
  const [none, noTypes, since] = await state();
  assert.deepEqual([none, noTypes], [{ signed_curve25519: 0 }, []]);
  /** Other processes hear of what becomes of keys a moment later. */
  const told = (count: number, unusedTypes: string[]) =>
    eventually(async () => {
      const expected = [{ signed_curve25519: count }, unusedTypes];
      assert.deepEqual((await state(since)).slice(0, 2), expected);
    });
  const fallback = (name: string) => ({
    [`signed_curve25519:${name}`]: { key: name, fallback: true, signatures: {} },
  });
  const types = ['signed_curve25519'];
  await upload(alice, { one_time_keys: oneTimeKey('A'), fallback_keys: fallback('F') });
  await told(1, types);
  assert.deepEqual(await claim(bob, alice), ['signed_curve25519:A']);
  await told(0, types);
  assert.deepEqual(await claim(bob, alice), ['signed_curve25519:F']);
  assert.deepEqual(await claim(bob, alice), ['signed_curve25519:F']);
  await told(0, []);
  await upload(alice, { fallback_keys: fallback('F') });
  await upload(alice, { one_time_keys: oneTimeKey('B') });
  await told(1, []); // It is the same one.
  await upload(alice, { fallback_keys: fallback('G') });
  await told(1, types);
});

test('those who share a room learn of new keys, and of who comes and goes', async () => {
  const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map(register));
  assert.ok(alice && bob && carol);
  const lists = async (since: string) => {
    const answer = await alice.sync({ since, timeout: '0' });
    const { changed = [], left = [] } = (answer['device_lists'] ?? {}) as Json;
    const from = encodeURIComponent(since);
    const to = encodeURIComponent(answer['next_batch'] as string);
    const changes = await alice.ok('GET', `${base}/changes?from=${from}&to=${to}`);
    return { synced: { changed, left }, changes, next: answer['next_batch'] as string };
  };
  let since = (await alice.sync())['next_batch'] as string;
  /** Both ways to ask tell the same since the last time; other processes may hear of it a moment later. */
  const told = async (expected: { changed: string[]; left: string[] }) => {
    since = await eventually(async () => {
      const { synced, changes, next } = await lists(since);
      assert.deepEqual({ ...synced, changed: synced.changed.toSorted() }, expected);
      assert.deepEqual({ ...changes, changed: changes['changed'].toSorted() }, expected);
      return next;
    });
  };
  const start = since;
  const nobody = { changed: [], left: [] };
  await upload(bob, { device_keys: deviceKeys(bob) });
  await told(nobody); // They share no room.

  const both = { changed: [alice.userId, bob.userId].toSorted(), left: [] };
  const roomId = await sharedRoom(alice, bob);
  await told(both);
  await upload(bob, { device_keys: deviceKeys(bob) });
  await upload(carol, { device_keys: deviceKeys(carol) });
  await told({ changed: [bob.userId], left: [] });

  const second = await sharedRoom(bob, alice);
  await told(both);
  await bob.ok('POST', `${alice.room(roomId)}/leave`, {});
  await told(nobody); // Another room is shared.
  await alice.ok('POST', `${alice.room(second)}/leave`, {});
  await told({ changed: [], left: [bob.userId] });
  await upload(bob, { device_keys: deviceKeys(bob) });
  await told(nobody);
  await bob.join(roomId);
  await carol.join(roomId);
  await told({ changed: [bob.userId, carol.userId].toSorted(), left: [] });
  // All of it at once, for somebody who was away for long.
  await Promise.all(Array.from({ length: 12 }, (_, i) => carol.send(roomId, `${i}`)));
  const away = (await lists(start)).synced;
  assert.deepEqual(
    away.changed.filter((id: string) => id !== alice.userId).toSorted(),
    [bob.userId, carol.userId].toSorted(),
  );
});

test('a device that is removed takes its keys with it', async () => {
  const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
  await sharedRoom(alice, bob);
  const second = await logIn(bob);
  await upload(second, { device_keys: deviceKeys(second), one_time_keys: oneTimeKey('A') });
  const { next_batch: since } = await alice.sync();
  assert.deepEqual(Object.keys((await query(alice, bob))['device_keys'][bob.userId] as Json), [
    second.deviceId,
  ]);
  const waiting = { since: since as string, timeout: '20000' };
  const woken = alice.syncUntil(waiting, (sync) => sync['device_lists']?.changed.length > 0);
  await second.ok('POST', '/_matrix/client/v3/logout', {});
  assert.deepEqual((await woken)['device_lists'], { changed: [bob.userId], left: [] });
  assert.deepEqual((await query(alice, bob))['device_keys'][bob.userId], {});
  assert.deepEqual(await claim(alice, second), []);
});

/** A user's cross-signing keys. */
function crossSigning(userId: string) {
  const [master, self, user] = [new Signer(), new Signer(), new Signer()];
  const key = (usage: string, { publicKey }: Signer): Json => ({
    user_id: userId,
    usage: [usage],
    keys: { [`ed25519:${publicKey}`]: publicKey },
  });
  const body = {
    master_key: key('master', master),
    self_signing_key: master.sign(key('self_signing', self), userId),
    user_signing_key: master.sign(key('user_signing', user), userId),
  };
  return { master, self, user, body };
}

test('cross-signing keys: the first need no password, others do', async () => {
  const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
  const path = `${base}/device_signing/upload`;
  const first = crossSigning(alice.userId);
  const { master_key: _master, ...withoutMaster } = first.body;
  assert.equal(await alice.refused('POST', path, withoutMaster), '400 M_MISSING_PARAM');
  const forged = {
    ...first.body,
    self_signing_key: crossSigning(alice.userId).body.self_signing_key,
  };
  assert.equal(await alice.refused('POST', path, forged), '400 M_INVALID_SIGNATURE');
  assert.equal(await bob.refused('POST', path, first.body), '400 M_INVALID_PARAM');
  const inTheWay = await TestClient.register(server.url, 'carol');
  const carols = crossSigning(inTheWay.userId);
  const logIn = (deviceId: string) => ({
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: inTheWay.userId },
    password: `password of ${inTheWay.userId.slice(1).split(':')[0]}`,
    device_id: deviceId,
  });
  const loginPath = '/_matrix/client/v3/login';
  await inTheWay.ok('POST', loginPath, logIn(carols.self.publicKey));
  assert.equal(await inTheWay.refused('POST', path, carols.body), '403 M_FORBIDDEN');
  const others = crossSigning(inTheWay.userId);
  await inTheWay.ok('POST', path, others.body);
  const named = await inTheWay.refused('POST', loginPath, logIn(others.user.publicKey));
  assert.equal(named, '403 M_FORBIDDEN', 'nor is there a device with the id of a key');
  await inTheWay.ok('POST', loginPath, logIn('PHONE'));
  await alice.ok('POST', path, first.body);
  await alice.ok('POST', path, first.body);
  const seen = await query(bob, alice);
  assert.deepEqual(seen['master_keys'], { [alice.userId]: first.body.master_key });
  assert.deepEqual(seen['self_signing_keys'], { [alice.userId]: first.body.self_signing_key });
  assert.deepEqual(seen['user_signing_keys'], {}, 'that is for the user only');
  const own = await query(alice, alice);
  assert.deepEqual(own['user_signing_keys'], { [alice.userId]: first.body.user_signing_key });

  const second = crossSigning(alice.userId);
  const challenge = await alice.request('POST', path, second.body);
  assert.equal(challenge.status, 401);
  const auth = {
    type: 'm.login.password',
    session: challenge.body['session'] as string,
    identifier: { type: 'm.id.user', user: alice.userId },
    password: password(alice),
  };
  await alice.ok('POST', path, { ...second.body, auth });
  assert.deepEqual((await query(bob, alice))['master_keys'][alice.userId], second.body.master_key);
});

test('signatures are checked, kept, and shown to those they are for', async () => {
  const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map(register));
  assert.ok(alice && bob && carol);
  await sharedRoom(alice, bob);
  const device = new Signer();
  const keys = deviceKeys(alice, device);
  await upload(alice, { device_keys: keys });
  const [own, bobs] = [crossSigning(alice.userId), crossSigning(bob.userId)];
  await alice.ok('POST', `${base}/device_signing/upload`, own.body);
  await bob.ok('POST', `${base}/device_signing/upload`, bobs.body);
  const [{ next_batch: since }, { next_batch: bobSince }] = await Promise.all([
    alice.sync(),
    bob.sync(),
  ]);
  const signedDevice = own.self.sign(keys, alice.userId);
  const deviceKeyId = `ed25519:${alice.deviceId}`;
  const signedMaster = device.sign(own.body.master_key, alice.userId, deviceKeyId);
  const signedBob = own.user.sign(bobs.body.master_key, alice.userId);
  const answer = await alice.ok('POST', `${base}/signatures/upload`, {
    [alice.userId]: {
      [alice.deviceId]: signedDevice,
      [own.master.publicKey]: signedMaster,
      NOSUCH: signedDevice,
    },
    [bob.userId]: {
      [bobs.master.publicKey]: signedBob,
      [own.master.publicKey]: signedMaster,
    },
    [carol.userId]: { X: own.user.sign({ a: 1 }, alice.userId) },
  });
  const codes = Object.fromEntries(
    Object.entries(answer['failures'] as Record<string, Record<string, Json>>).flatMap(
      ([userId, failures]) =>
        Object.entries(failures).map(([id, { errcode }]) => [`${userId} ${id}`, errcode as string]),
    ),
  );
  assert.deepEqual(codes, {
    [`${alice.userId} NOSUCH`]: 'M_NOT_FOUND',
    [`${bob.userId} ${own.master.publicKey}`]: 'M_NOT_FOUND',
    [`${carol.userId} X`]: 'M_NOT_FOUND',
  });
  const forged = { ...signedDevice, algorithms: [] };
  const refused = await alice.ok('POST', `${base}/signatures/upload`, {
    [alice.userId]: { [alice.deviceId]: forged },
  });
  assert.equal(refused['failures'][alice.userId][alice.deviceId].errcode, 'M_INVALID_SIGNATURE');
  const [seen, mine] = await Promise.all([query(bob, alice, bob), query(alice, alice, bob)]);
  const { unsigned: _unsigned, ...shown } = seen['device_keys'][alice.userId][
    alice.deviceId
  ] as Json;
  assert.deepEqual(shown, signedDevice);
  assert.deepEqual(seen['master_keys'][alice.userId], signedMaster);
  assert.deepEqual(seen['master_keys'][bob.userId], bobs.body.master_key, 'not for Bob to see');
  assert.deepEqual(mine['master_keys'][bob.userId], signedBob);
  const changed = (sync: Json) => (sync['device_lists'].changed as string[]).toSorted();
  const expected = [alice.userId, bob.userId].toSorted();
  assert.deepEqual(changed(await alice.sync({ since })), expected);
  assert.deepEqual(changed(await bob.sync({ since: bobSince })), [alice.userId]);
});

test('of what is no user id there are no keys; lists of devices must be lists', async () => {
  const alice = await register('alice-malformed');
  const unknown = '@nobody:test.example';
  const odd = ['alice', '', 'alice:a.example', '@alice', '@alice:', '@a:b c', '@a\0:b.example'];
  const asked = Object.fromEntries([...odd, unknown].map((id) => [id, []]));
  const answer = await alice.ok('POST', `${base}/query`, { device_keys: asked });
  assert.deepEqual([answer['device_keys'], answer['failures']], [{ [unknown]: {} }, {}]);
  for (const devices of [null, 'A', {}, { A: 1 }, [1], [['A']]]) {
    const body = { device_keys: { [alice.userId]: devices } };
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await alice.refused('POST', `${base}/query`, body), '400 M_BAD_JSON');
  }
  for (const body of [{ device_keys: null }, { device_keys: [] }]) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await alice.refused('POST', `${base}/query`, body), '400 M_BAD_JSON');
  }
  for (const id of odd) {
    const body = { one_time_keys: { [id]: { A: 'signed_curve25519' } } };
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await alice.refused('POST', `${base}/claim`, body), '400 M_INVALID_PARAM');
  }
});
