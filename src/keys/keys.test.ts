import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Requester } from '../http/endpoint.ts';
import { statement } from '../database/statement.ts';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import { createLog } from '../kernel/log.ts';
import { createLocalBus, type Bus, type RowsReader } from '../streams/bus.ts';
import { createCommitter } from '../streams/committer.ts';
import { createKeys, deviceListStream, type DeviceListRow, type Keys } from './module.ts';

const insertUser = statement<[string], { userNid: number }>(
  'test.insert_user',
  'insert into users (user_id) values ($1) returning user_nid as "userNid"',
);
const insertDevice = statement<[number, string], { deviceNid: number }>(
  'test.insert_device',
  `insert into devices (user_nid, device_id, created_ts) values ($1, $2, 0)
   returning device_nid as "deviceNid"`,
);
const deleteDevice = statement<[number, number], never>(
  'test.delete_device',
  'delete from devices where user_nid = $1 and device_nid = $2',
);
const insertMembership = statement<[number, number, string], never>(
  'test.insert_membership',
  `insert into memberships (user_nid, room_nid, membership, event_nid, pos, sender_nid, is_local)
   values ($1, $2, $3, 1, 1, 1, true)`,
);

let opened: TestDatabase;
let bus: Bus;
let keys: Keys;
let readAgain: RowsReader<DeviceListRow>;
const announced: { pos: number; row: DeviceListRow }[] = [];

/** A process of the server; with a tag it is one of several. */
function newProcess(tag: string): { bus: Bus; keys: Keys } {
  const { database } = opened;
  const ownBus: Bus = {
    ...createLocalBus({
      position: 0,
      ephemeralPosition: 0,
      onReaderError: (error) => assert.fail(String(error)),
    }),
    tag,
    recoverWith(stream, read) {
      if (stream.name !== deviceListStream.name) return;
      readAgain = read as unknown as RowsReader<DeviceListRow>;
    },
  };
  const ownKeys = createKeys({
    database,
    bus: ownBus,
    committer: createCommitter(database, ownBus),
    log: createLog('error'),
    serverName: 'test',
    userNidsOf: async () => new Map(),
    deviceListChanges: async () => ({ changed: [], left: [] }),
    tellsDeviceNames: false,
    clock: { now: () => 0 },
    federation: undefined as never,
    questions: undefined as never,
    uiAuth: undefined as never,
    accountOf: async (userId) => ({ userNid: 1, userId }),
    reauthFlows: async () => [],
  });
  return { bus: ownBus, keys: ownKeys };
}

before(async () => {
  opened = await createTestDatabase();
  ({ bus, keys } = newProcess(''));
  bus.subscribe(deviceListStream, (rows) => {
    announced.push(...rows.map(({ pos, row }) => ({ pos, row })));
  });
});
after(() => opened.close());

interface User {
  userNid: number;
  userId: string;
}

async function newUser(localpart: string): Promise<User> {
  const userId = `@${localpart}:test`;
  const [made] = await opened.database.query(insertUser, [userId]);
  return { userNid: made!.userNid, userId };
}

async function newDevice(user: User, deviceId: string, by = keys) {
  const [made] = await opened.database.query(insertDevice, [user.userNid, deviceId]);
  const device = { ...user, deviceId, deviceNid: made!.deviceNid };
  await upload(device, deviceId, by);
  return device;
}

function upload(device: User & { deviceId: string; deviceNid: number }, key: string, by = keys) {
  const device_keys = {
    user_id: device.userId,
    device_id: device.deviceId,
    algorithms: [],
    keys: { [`ed25519:${device.deviceId}`]: key },
    signatures: {},
  };
  return by.upload(device satisfies Partial<Requester>, { device_keys });
}

const devicesOf = async (user: User, by = keys) =>
  (await by.directory.of([user])).get(user.userNid)!.devices;

test('changes are announced with the rooms they matter in, and can be read again', async () => {
  const user = await newUser('rooms');
  for (const [roomNid, membership] of [
    [1, 'join'],
    [2, 'leave'],
    [3, 'join'],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop
    await opened.database.query(insertMembership, [user.userNid, roomNid, membership]);
  }
  announced.length = 0;
  const device = await newDevice(user, 'A');
  assert.deepEqual(
    announced.map(({ row }) => row.roomNids.toSorted((a, b) => a - b)),
    [[1, 3]],
  );
  await upload(device, 'A');
  assert.equal(announced.length, 1, 'nothing has changed');
  await keys.accountEvents.devicesRenamed!(user, ['A', 'other']);
  await keys.accountEvents.devicesRenamed!(user, ['other']);
  assert.equal(announced.length, 2);
  const [last] = await readAgain(announced[0]!.pos, announced[1]!.pos);
  assert.equal(last!.pos, announced[1]!.pos);
  assert.deepEqual(
    { ...last!.row, roomNids: last!.row.roomNids.toSorted((a, b) => a - b) },
    {
      ...user,
      roomNids: [1, 3],
    },
  );
});

test('keys of devices that were lost without a word are removed and announced', async () => {
  const user = await newUser('lost');
  const [gone] = [await newDevice(user, 'A'), await newDevice(user, 'B')];
  await keys.oneTimeKeys.add(gone, [{ algorithm: 'a', keyId: 'x', body: '{}', signatures: null }]);
  await opened.database.query(deleteDevice, [user.userNid, gone.deviceNid]);
  announced.length = 0;
  await keys.sweep();
  assert.deepEqual(
    announced.map(({ row }) => row.userId),
    [user.userId],
  );
  assert.deepEqual([...(await devicesOf(user)).keys()], ['B']);
  assert.deepEqual((await keys.oneTimeKeys.state(user.userNid, gone.deviceNid)).counts, {});
  await keys.sweep();
  assert.equal(announced.length, 1);
});

test('of several processes none shows what another has replaced', async () => {
  const [one, other] = [newProcess('1'), newProcess('2')];
  const user = await newUser('processes');
  const shown = async (by: Keys) =>
    Array.from(await devicesOf(user, by), ([, { keys: known }]) => known['keys']);
  assert.deepEqual(await shown(other.keys), []);
  const device = await newDevice(user, 'A', one.keys);
  // The other one has been told nothing yet.
  assert.deepEqual(await shown(other.keys), [{ 'ed25519:A': 'A' }]);
  await upload(device, 'new', one.keys);
  assert.deepEqual(await shown(other.keys), [{ 'ed25519:A': 'new' }]);
});

test('of uploads that are written together one with a taken key id adds nothing, the others all', async () => {
  const user = await newUser('together');
  const key = (name: string, body = name) => {
    const [algorithm, keyId] = name.split(':') as [string, string];
    return { algorithm, keyId, body: JSON.stringify({ key: body }), signatures: null };
  };
  const [bad, again, fresh] = [
    await newDevice(user, 'A'),
    await newDevice(user, 'B'),
    await newDevice(user, 'C'),
  ];
  const known = ['a:1', 'a:2', 'b:1'].map((name) => key(name));
  await Promise.all([bad, again].map((device) => keys.oneTimeKeys.add(device, known)));
  const outcomes = await Promise.all([
    keys.oneTimeKeys.add(bad, [key('a:3'), key('a:2', 'another'), key('b:1'), key('c:1')]),
    keys.oneTimeKeys.add(again, [key('a:3'), key('a:2'), key('c:1')]),
    keys.oneTimeKeys.add(fresh, [key('a:2', 'another'), key('a:1')]),
    keys.oneTimeKeys.add(fresh, [key('a:0'), key('a:1')]),
  ]);
  assert.deepEqual(outcomes, [
    { counts: { a: 2, b: 1 }, takenKeyId: 'a:2' },
    { counts: { a: 3, b: 1, c: 1 }, takenKeyId: null },
    { counts: { a: 2 }, takenKeyId: null },
    { counts: { a: 3 }, takenKeyId: null },
  ]);
  const wanted = [bad, again, fresh].flatMap(({ userNid, deviceId }) =>
    Array.from({ length: 4 }, () => ({ userNid, deviceId, algorithm: 'a' })),
  );
  const claimed = await keys.oneTimeKeys.claim(wanted);
  const ids = (from: number) => claimed.slice(from, from + 4).map((one) => one?.keyId ?? null);
  assert.deepEqual(ids(0), ['a:1', 'a:2', null, null]);
  assert.deepEqual(ids(4), ['a:1', 'a:2', 'a:3', null]);
  assert.deepEqual(ids(8), ['a:2', 'a:1', 'a:0', null]);
});

test('of too many one-time keys the newest stay', async () => {
  const device = await newDevice(await newUser('many'), 'A');
  const batch = (from: number) =>
    Array.from({ length: 400 }, (_, i) => ({
      algorithm: 'a',
      keyId: `${from + i}`,
      body: `{"key":"${from + i}"}`,
      signatures: null,
    }));
  await keys.oneTimeKeys.add(device, batch(0));
  await keys.oneTimeKeys.add(device, batch(400));
  const { counts } = await keys.oneTimeKeys.add(device, batch(800));
  assert.deepEqual(counts, { a: 1200 });
  const { userNid, deviceNid, deviceId } = device;
  while ((await keys.oneTimeKeys.state(userNid, deviceNid)).counts['a'] !== 1000) {
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [claimed] = await keys.oneTimeKeys.claim([{ userNid, deviceId, algorithm: 'a' }]);
  assert.deepEqual(claimed, { keyId: 'a:200', key: '{"key":"200"}' });
});
