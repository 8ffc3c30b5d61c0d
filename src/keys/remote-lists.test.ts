import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { statement } from '../database/statement.ts';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { createLocalBus } from '../streams/bus.ts';
import { createCommitter } from '../streams/committer.ts';
import { createKeyDirectory } from './key-directory.ts';
import { createRemoteKeys } from './remote-keys.ts';
import { createRemoteLists } from './remote-lists.ts';
import { createKeyStore } from './store/keys-of-users.ts';
import { createRemoteListStore } from './store/remote-lists.ts';
import { deviceListStream } from './streams.ts';

const insertUser = statement<[string], { userNid: number }>(
  'test.insert_user',
  'insert into users (user_id) values ($1) returning user_nid as "userNid"',
);
const setMembership = statement<[number, number, string, number, boolean], never>(
  'test.set_membership',
  `insert into memberships (user_nid, room_nid, membership, event_nid, pos, sender_nid, is_local)
   values ($1, $2, $3, 1, $4, 1, $5)
   on conflict (user_nid, room_nid) do update
     set membership = excluded.membership, pos = excluded.pos`,
);
const movePosition = statement<[], { pos: number }>(
  'test.move_position',
  `select nextval('stream_position') as pos`,
);

const alice = '@alice:here.example';
const bob = '@bob:remote.example';
const room = 7;

let opened: TestDatabase;
let process: ReturnType<typeof newProcess>;
/** What the other server says of its user. */
let list: { stream_id: number; devices: JsonObject[]; master_key?: JsonObject };
let asked: number;
/** Happens while the other server answers. */
let meanwhile: () => Promise<unknown>;
let nids: Map<string, number>;
/** Of the newest membership. */
let position = 0;
const announced: string[] = [];

/** A process of the server; with a tag it is one of several. */
function newProcess(tag: string) {
  const { database } = opened;
  const bus = {
    ...createLocalBus({
      position: 0,
      ephemeralPosition: 0,
      onReaderError: (error) => assert.fail(String(error)),
    }),
    tag,
  };
  bus.subscribe(deviceListStream, (rows) => {
    for (const { row } of rows) announced.push(`${row.userId} ${row.roomNids.join(' ')}`);
  });
  const committer = createCommitter(database, bus);
  const directory = createKeyDirectory(createKeyStore(database), bus);
  const store = createRemoteListStore(database);
  const remote = createRemoteKeys({
    federation: undefined as never,
    questions: {
      async ask(server, { uri }) {
        assert.equal(server, 'remote.example');
        assert.equal(uri, `/_matrix/federation/v1/user/devices/${encodeURIComponent(bob)}`);
        asked++;
        const answer = { user_id: bob, ...list } as JsonObject;
        await meanwhile();
        return answer;
      },
    },
    store,
    directory,
    committer,
    bus: { ...bus, position: () => position },
    clock: { now: () => 0 },
  });
  const lists = createRemoteLists({ committer, directory, userNidsOf: async () => nids });
  const query = async () => {
    const { users, failures } = await remote.query({ [bob]: [] }, 5_000);
    assert.deepEqual(failures, {});
    return users[0]!.keys;
  };
  return {
    store,
    directory,
    lists,
    query,
    devices: async () => [...(await query()).devices.keys()],
  };
}

const keys = (deviceId: string): JsonObject => ({ user_id: bob, device_id: deviceId, keys: {} });
const device = (deviceId: string) => ({ device_id: deviceId, keys: keys(deviceId) });
const master = (key: string): JsonObject => ({
  user_id: bob,
  usage: ['master'],
  keys: { [`ed25519:${key}`]: key },
});
const change = (deviceId: string, streamId: number, previous: number[], more: JsonObject = {}) =>
  process.lists.changeDevice(bob, {
    device_id: deviceId,
    stream_id: streamId,
    prev_id: previous,
    keys: keys(deviceId),
    ...more,
  });

async function member(userId: string, membership: string): Promise<void> {
  const [{ pos }] = (await opened.database.query(movePosition, [])) as [{ pos: number }];
  position = pos;
  const params = [nids.get(userId)!, room, membership, pos, userId === alice] as const;
  await opened.database.query(setMembership, [...params]);
}

before(async () => {
  opened = await createTestDatabase();
  nids = new Map();
  for (const userId of [alice, bob]) {
    // oxlint-disable-next-line no-await-in-loop
    const [row] = await opened.database.query(insertUser, [userId]);
    nids.set(userId, row!.userNid);
  }
});
after(() => opened.close());
beforeEach(async () => {
  process = newProcess('');
  meanwhile = async () => undefined;
  list = { stream_id: 5, devices: [device('A')] };
  await member(alice, 'join');
  await member(bob, 'leave');
  await process.store.deleteUnshared(10);
  await member(bob, 'join');
  announced.length = 0;
  asked = 0;
});

test('a list is fetched once and then follows what is told', async () => {
  assert.deepEqual([await process.devices(), await process.devices(), asked], [['A'], ['A'], 1]);
  await change('B', 6, [5]);
  await change('C', 8, [6, 5]);
  await change('B', 9, [8], { keys: null });
  await change('A', 10, [9], { deleted: true });
  assert.deepEqual([await process.devices(), asked], [['C'], 1]);
  assert.deepEqual(
    announced,
    Array.from({ length: 4 }, () => `${bob} ${room}`),
  );
  await change('C', 10, [9], { deleted: true });
  assert.equal(announced.length, 4, 'what is known is not announced');
});

test('numbers may be texts, and what is malformed changes nothing', async () => {
  await process.devices();
  const edu = { device_id: 'B', stream_id: '6', prev_id: ['5'], keys: keys('B') };
  for (const wrong of [
    { stream_id: 'six' },
    { stream_id: -1 },
    { prev_id: '5' },
    { prev_id: [{}] },
    { device_id: 7 },
    { device_id: 'B\0' },
    { keys: keys('C') },
    { keys: 'none' },
  ] as JsonObject[]) {
    // oxlint-disable-next-line no-await-in-loop
    await process.lists.changeDevice(bob, { ...edu, ...wrong });
  }
  assert.deepEqual(announced, []);
  await process.lists.changeDevice(bob, edu);
  assert.deepEqual([await process.devices(), asked], [['A', 'B'], 1]);
});

test('a gap makes the list stale until it is fetched', async () => {
  await process.devices();
  await change('B', 8, [7]);
  await change('C', 9, [8]);
  await change('D', 5, []);
  list = { stream_id: 9, devices: [device('X')] };
  assert.deepEqual([await process.devices(), asked], [['X'], 2]);
  await change('Y', 10, [9]);
  assert.deepEqual([await process.devices(), asked], [['X', 'Y'], 2]);
});

test('a change that comes while the list is fetched is not lost', async () => {
  meanwhile = () => change('B', 6, [5]);
  assert.deepEqual(await process.devices(), ['A'], 'as the server has said');
  meanwhile = async () => undefined;
  list = { stream_id: 6, devices: [device('A'), device('B')] };
  assert.deepEqual([await process.devices(), asked], [['A', 'B'], 2]);
  assert.deepEqual([await process.devices(), asked], [['A', 'B'], 2]);
  await change('C', 9, [8]);
  meanwhile = () => process.lists.changeKeys(bob, { master_key: master('two') });
  list.master_key = master('one');
  await process.devices();
  meanwhile = async () => undefined;
  list.master_key = master('two');
  assert.equal((await process.query()).crossSigning.master?.publicKey, 'two');
});

test('other processes see what one has stored', async () => {
  const [one, other] = [newProcess('a'), newProcess('b')];
  assert.deepEqual([await one.devices(), await other.devices(), asked], [['A'], ['A'], 1]);
  await one.lists.changeDevice(bob, { ...device('B'), stream_id: 6, prev_id: [5] });
  assert.deepEqual([await other.devices(), asked], [['A', 'B'], 1]);
  await one.lists.changeKeys(bob, { master_key: master('one') });
  assert.equal((await other.query()).crossSigning.master?.publicKey, 'one');
});

test('a list is not believed when rooms were not shared without a break', async () => {
  await process.devices();
  await member(alice, 'leave');
  await change('B', 6, [5]);
  assert.deepEqual(announced, []);
  const [state] = await process.store.states([bob]);
  assert.deepEqual([state!.isShared, state!.isCurrent], [false, false]);
  await member(alice, 'join');
  list = { stream_id: 6, devices: [device('B')] };
  assert.deepEqual([await process.devices(), asked], [['B'], 2]);
  await member(bob, 'leave');
  await process.store.deleteUnshared(10);
  const [gone] = await process.store.states([bob]);
  assert.deepEqual([gone!.isShared, gone!.version], [false, null]);
});

test('too many devices are shown and not stored', async () => {
  list.devices = Array.from({ length: 1_001 }, (_, i) => device(`D${i}`));
  assert.equal((await process.devices()).length, 1_001);
  assert.equal((await process.devices()).length, 1_001);
  assert.equal(asked, 2);
  list.devices = list.devices.slice(0, 1_000);
  await process.devices();
  await change('D0', 6, [5]);
  assert.equal((await process.devices()).length, 1_000);
  assert.equal(asked, 3);
  await change('new', 7, [6]);
  await process.devices();
  assert.equal(asked, 4, 'there is no room for one more');
});

test('who asks at the same time waits for the same answer', async () => {
  const answers = await Promise.all([process.devices(), process.devices(), process.devices()]);
  assert.deepEqual([answers, asked], [[['A'], ['A'], ['A']], 1]);
  assert.deepEqual([await process.devices(), asked], [['A'], 1]);
});

test('a device that has never had keys is not told of', async () => {
  await change('N', 3, [], { keys: null });
  assert.deepEqual(announced, []);
  await process.devices();
  await change('N', 6, [5], { keys: null });
  assert.deepEqual([announced, await process.devices(), asked], [[], ['A'], 1]);
  await change('A', 7, [6], { keys: null });
  assert.equal(announced.length, 1, 'that one had');
  await change('N', 9, [8], { keys: null });
  assert.equal(announced.length, 2, 'something was missed');
});
