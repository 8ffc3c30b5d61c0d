import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { TestClient, type Json } from '../harness/client.ts';
import { startFederatedServer, type FederatedServer } from '../harness/federated-server.ts';

let one: FederatedServer;
let other: FederatedServer;
before(async () => {
  [one, other] = await Promise.all([startFederatedServer(), startFederatedServer()]);
});
after(() => Promise.all([one.close(), other.close()]));

const v3 = '/_matrix/client/v3';
const encoded = encodeURIComponent;

async function twoUsers() {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  return { alice, bob };
}

const serverOf = ({ url }: TestClient) => (url === one.url ? one : other);
const makeRoom = (by: TestClient) => by.createRoom({ preset: 'public_chat' });
const join = (who: TestClient, roomId: string, by: TestClient) =>
  who.ok('POST', `${v3}/join/${encoded(roomId)}?via=${encoded(serverOf(by).name)}`, {});
const position = async (client: TestClient) =>
  (await client.sync({ timeout: '0' }))['next_batch'] as string;

/** Publishes keys of the user's device; gives what others are shown. */
async function upload(user: TestClient, key: string): Promise<Json> {
  const { userId, deviceId } = user;
  const keys = {
    user_id: userId,
    device_id: deviceId,
    algorithms: ['m.megolm.v1.aes-sha2'],
    keys: { [`ed25519:${deviceId}`]: key },
    signatures: {},
  };
  await user.ok('POST', `${v3}/keys/upload`, { device_keys: keys });
  return { [deviceId]: { ...keys, unsigned: {} } };
}

async function devicesOf(by: TestClient, of: TestClient): Promise<Json> {
  const answer = await by.ok('POST', `${v3}/keys/query`, { device_keys: { [of.userId]: [] } });
  assert.deepEqual(answer['failures'], {});
  return answer['device_keys'][of.userId] as Json;
}

/** Waits until a sync tells of a user; gives the position after it. */
async function told(client: TestClient, since: string, list: 'changed' | 'left', of: TestClient) {
  const { next_batch: next } = await client.syncUntil({ since }, (sync) =>
    Boolean(sync['device_lists']?.[list]?.includes(of.userId)),
  );
  return next as string;
}

/** Waits until a sync tells of a user whose keys are these: it may tell of an earlier change first. */
async function toldOfKeys(
  client: TestClient,
  since: string,
  of: TestClient,
  keys: Json,
): Promise<string> {
  const next = await told(client, since, 'changed', of);
  const shown = await devicesOf(client, of);
  return isDeepStrictEqual(shown, keys) ? next : toldOfKeys(client, next, of, keys);
}

describe('devices of a user of the other server', () => {
  for (const comes of ['bob', 'alice'] as const) {
    test(`are seen when ${comes} comes to the room, and when they change`, async () => {
      const { alice, bob } = await twoUsers();
      const [guest, host] = comes === 'bob' ? [bob, alice] : [alice, bob];
      const shown = await upload(bob, 'first');
      const roomId = await makeRoom(host);
      const before = await position(alice);
      await join(guest, roomId, host);
      let since = await told(alice, before, 'changed', bob);
      assert.deepEqual(await devicesOf(alice, bob), shown);
      for (const key of ['second', 'third']) {
        // oxlint-disable-next-line no-await-in-loop
        const changed = await upload(bob, key);
        // oxlint-disable-next-line no-await-in-loop
        since = await toldOfKeys(alice, since, bob, changed);
      }
    });
  }

  for (const goes of ['bob', 'alice'] as const) {
    test(`are asked for anew when ${goes} has left the room`, async () => {
      const { alice, bob } = await twoUsers();
      await upload(bob, 'first');
      const roomId = await makeRoom(alice);
      const before = await position(alice);
      await join(bob, roomId, alice);
      const since = await told(alice, before, 'changed', bob);
      await devicesOf(alice, bob);
      const who = goes === 'bob' ? bob : alice;
      await who.ok('POST', `${who.room(roomId)}/leave`, {});
      const left = await told(alice, since, 'left', bob);
      const shown = await upload(bob, 'second');
      assert.deepEqual(await devicesOf(alice, bob), shown);
      const { device_lists: lists } = await alice.sync({ since: left, timeout: '0' });
      assert.ok(!(lists?.changed ?? []).includes(bob.userId));
      if (goes !== 'bob') return;
      const again = await upload(bob, 'third');
      await join(bob, roomId, alice);
      await toldOfKeys(alice, left, bob, again);
    });
  }
});

test('who joins is told of all who are there, the own user included', async () => {
  const { alice, bob } = await twoUsers();
  const roomId = await alice.createRoom({ preset: 'private_chat', invite: [bob.userId] });
  const since = await position(bob);
  await bob.ok('POST', `${bob.room(roomId)}/join`, {});
  const { device_lists: lists } = await bob.syncUntil({ since }, (sync) =>
    Boolean(sync['rooms']?.join?.[roomId]),
  );
  const both = [alice.userId, bob.userId].toSorted();
  assert.deepEqual((lists.changed as string[]).toSorted(), both);
});

test('keys are claimed and messages to devices arrive across servers', async () => {
  const { alice, bob } = await twoUsers();
  const key = { key: 'k', signatures: { [bob.userId]: { [`ed25519:${bob.deviceId}`]: 's' } } };
  await bob.ok('POST', `${v3}/keys/upload`, { one_time_keys: { 'signed_curve25519:A': key } });
  const wanted = { [bob.userId]: { [bob.deviceId]: 'signed_curve25519' } };
  const claim = () => alice.ok('POST', `${v3}/keys/claim`, { one_time_keys: wanted });
  assert.deepEqual((await claim())['one_time_keys'], {
    [bob.userId]: { [bob.deviceId]: { 'signed_curve25519:A': key } },
  });
  assert.deepEqual((await claim())['one_time_keys'], {});
  const since = await position(bob);
  const content = { a: 1 };
  await alice.ok('PUT', `${v3}/sendToDevice/m.test/1`, {
    messages: { [bob.userId]: { [bob.deviceId]: content } },
  });
  const { to_device: toDevice } = await bob.syncUntil({ since }, (sync) =>
    Boolean(sync['to_device']?.events?.length),
  );
  assert.deepEqual(toDevice.events, [{ sender: alice.userId, type: 'm.test', content }]);
});

test('users of the other server are seen typing, reading and being there', async () => {
  const { alice, bob } = await twoUsers();
  const roomId = await makeRoom(alice);
  await join(bob, roomId, alice);
  const since = await position(bob);
  const eventId = await alice.send(roomId, 'hello');
  await alice.ok('PUT', `${alice.room(roomId)}/typing/${encoded(alice.userId)}`, {
    typing: true,
    timeout: 30_000,
  });
  const status = { presence: 'unavailable', status_msg: 'Away' };
  await alice.ok('PUT', `${v3}/presence/${encoded(alice.userId)}/status`, status);
  const seen = new Map<string, Json>();
  await bob.syncUntil({ since }, (sync) => {
    const room = sync['rooms']?.join?.[roomId] as Json | undefined;
    for (const { type, content } of (room?.['ephemeral']?.events ?? []) as Json[]) {
      seen.set(type as string, content as Json);
    }
    for (const { sender, content } of (sync['presence']?.events ?? []) as Json[]) {
      if (content.status_msg === 'Away') seen.set(sender as string, content as Json);
    }
    return seen.has('m.typing') && seen.has(alice.userId);
  });
  assert.deepEqual(seen.get('m.typing'), { user_ids: [alice.userId] });
  assert.equal(seen.get(alice.userId)!['presence'], 'unavailable');

  const before = await position(alice);
  await bob.ok('POST', `${bob.room(roomId)}/receipt/m.read/${encoded(eventId)}`, {});
  const { rooms } = await alice.syncUntil({ since: before }, (sync) =>
    JSON.stringify(sync['rooms']?.join?.[roomId]?.ephemeral ?? {}).includes('m.receipt'),
  );
  const [receipt] = (rooms.join[roomId].ephemeral.events as Json[]).filter(
    ({ type }) => type === 'm.receipt',
  );
  assert.deepEqual(Object.keys(receipt!['content'][eventId]['m.read'] as Json), [bob.userId]);
});
