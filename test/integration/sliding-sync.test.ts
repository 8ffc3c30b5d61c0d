import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import {
  makeDataDir,
  onceOnly,
  ServerProcess,
  startTestServer,
  type TestServer,
} from '../harness/server.ts';

let server: TestServer;

before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const path = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync';
const register = (name: string) => TestClient.register(server.url, name);

interface Wish {
  pos?: string;
  timeout?: number;
  /** Asks the same again until this holds: a process hears a moment later what others have done. */
  until?: (answer: Json) => boolean;
}

/** Far more than it takes. */
const attemptsMax = 500;

async function slide(client: TestClient, body: Json, wish: Wish = {}): Promise<Json> {
  const query = new URLSearchParams();
  if (wish.pos) query.set('pos', wish.pos);
  if (wish.timeout) query.set('timeout', String(wish.timeout));
  const ask = () => client.ok('POST', `${path}?${query.toString()}`, body);
  let answer = await ask();
  for (let i = 0; wish.until && !wish.until(answer) && i < attemptsMax; i++) {
    // oxlint-disable-next-line no-await-in-loop
    answer = await ask();
  }
  return answer;
}

const list = (more: Json = {}) => ({
  lists: {
    all: { ranges: [[0, 1]], timeline_limit: 1, required_state: [], ...more },
  },
});
const shows = (roomId: string | undefined, text: string) => (answer: Json) =>
  bodies(answer['rooms'][roomId!]).at(-1) === text;
const bodies = (room: Json | undefined) =>
  ((room?.['timeline'] ?? []) as Json[]).map((event) => event['content']['body'] as string);
const roomIds = (answer: Json) => Object.keys(answer['rooms'] as Json).toSorted();
const sorted = (...ids: (string | undefined)[]) => ids.map(String).toSorted();
const stateOf = (room: Json) =>
  ((room['required_state'] ?? []) as Json[])
    .map((event) => `${event['type']} ${event['state_key']}`)
    .toSorted();

async function rooms(client: TestClient, count: number, wish: Json = {}): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    // oxlint-disable-next-line no-await-in-loop -- their order counts
    ids.push(await client.createRoom({ name: `room ${i}`, preset: 'public_chat', ...wish }));
  }
  return ids;
}

describe('lists', () => {
  test('show the rooms with the newest events, and what happens in them', async () => {
    const alice = await register('alice');
    const [one, two, three] = await rooms(alice, 3);
    await alice.send(one!, 'up');
    const first = await slide(alice, list(), { until: shows(one, 'up') });
    assert.equal(first['lists']['all']['count'], 3);
    assert.deepEqual(first['lists']['all']['ops'], [
      { op: 'SYNC', range: [0, 1], room_ids: [one, three] },
    ]);
    assert.deepEqual(roomIds(first), sorted(one, three));
    const room = first['rooms'][one!] as Json;
    assert.equal(room['initial'], true);
    assert.equal(room['name'], 'room 0');
    assert.equal(room['joined_count'], 1);
    assert.equal(room['limited'], true);
    assert.equal(room['num_live'], 0);
    assert.ok(room['bump_stamp'] > first['rooms'][three!]['bump_stamp']);
    assert.deepEqual(bodies(room), ['up']);

    await alice.send(three!, 'news');
    const second = await slide(alice, list(), {
      pos: first['pos'] as string,
      until: shows(three, 'news'),
    });
    assert.deepEqual(roomIds(second), [three]);
    const update = second['rooms'][three!] as Json;
    assert.equal(update['initial'], undefined);
    assert.equal(update['num_live'], 1);
    assert.equal(update['limited'], false);
    assert.deepEqual(bodies(update), ['news']);

    await alice.send(two!, 'comes into view');
    const third = await slide(alice, list(), {
      pos: second['pos'] as string,
      until: shows(two, 'comes into view'),
    });
    assert.deepEqual(roomIds(third), [two]);
    assert.equal(third['rooms'][two!]['initial'], true);
    assert.equal(third['rooms'][two!]['num_live'], 1);
  });

  test('a room that was out of view goes on from where it was', async () => {
    const alice = await register('alice');
    const [one, two] = await rooms(alice, 2);
    const wish = list({ ranges: [[0, 0]], timeline_limit: 10 });
    const first = await slide(alice, wish, {
      until: (answer) => (two as string) in answer['rooms'],
    });
    assert.deepEqual(roomIds(first), [two]);
    await alice.send(one!, 'one is first');
    const second = await slide(alice, wish, {
      pos: first['pos'] as string,
      until: shows(one, 'one is first'),
    });
    assert.deepEqual(roomIds(second), [one]);
    // Two is out of view: its topic is not sent, and does not move it up.
    await alice.setState(two!, 'm.room.topic', { topic: 'unseen' });
    await alice.send(one!, 'in view');
    const third = await slide(alice, wish, {
      pos: second['pos'] as string,
      until: shows(one, 'in view'),
    });
    assert.deepEqual(roomIds(third), [one]);
    await alice.send(two!, 'two is back');
    const fourth = await slide(alice, wish, {
      pos: third['pos'] as string,
      until: shows(two, 'two is back'),
    });
    const back = fourth['rooms'][two!] as Json;
    assert.equal(back['initial'], undefined);
    assert.deepEqual(
      (back['timeline'] as Json[]).map((event) => event['type']),
      ['m.room.topic', 'm.room.message'],
    );
    assert.equal(back['num_live'], 1);
  });

  test('can be filtered', async () => {
    const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
    const [plain] = await rooms(alice, 1);
    const [space] = await rooms(alice, 1, { creation_content: { type: 'm.space' } });
    const [secret] = await rooms(alice, 1, {
      initial_state: [
        {
          type: 'm.room.encryption',
          state_key: '',
          content: { algorithm: 'm.megolm.v1.aes-sha2' },
        },
      ],
    });
    const invited = await bob.createRoom({ preset: 'private_chat', invite: [alice.userId] });
    await alice.setState(space!, 'm.space.child', { via: ['test.example'] }, plain);
    const data = `/_matrix/client/v3/user/${alice.userId}`;
    await alice.ok('PUT', `${data}/account_data/m.direct`, { [bob.userId]: [secret] });
    await alice.ok('PUT', `${data}/rooms/${encodeURIComponent(plain!)}/tags/m.favourite`, {});
    await slide(alice, list({ ranges: [[0, 9]], filters: { is_dm: true, is_encrypted: true } }), {
      until: (answer) => answer['lists']['all']['count'] === 1,
    });
    const tagged = list({ filters: { tags: ['m.favourite'] } });
    await slide(alice, tagged, { until: (answer) => answer['lists']['all']['count'] === 1 });
    const found = async (filters: Json) => {
      const answer = await slide(alice, list({ ranges: [[0, 9]], filters }));
      assert.equal(answer['lists']['all']['count'], Object.keys(answer['rooms'] as Json).length);
      return roomIds(answer);
    };
    assert.deepEqual(await found({ room_types: ['m.space'] }), [space]);
    assert.deepEqual(
      await found({ not_room_types: ['m.space'], is_invite: false }),
      sorted(plain, secret),
    );
    assert.deepEqual(await found({ is_encrypted: true }), [secret]);
    assert.deepEqual(await found({ is_invite: true }), [invited]);
    assert.deepEqual(await found({ is_dm: true }), [secret]);
    assert.deepEqual(await found({ tags: ['m.favourite'] }), [plain]);
    assert.deepEqual(await found({ not_tags: ['m.favourite'] }), sorted(space, secret, invited));
    assert.deepEqual(await found({ spaces: [space] }), [plain]);
    const all = await slide(alice, { lists: { all: { slow_get_all_rooms: true } } });
    assert.equal(roomIds(all).length, 4);
    assert.equal(all['rooms'][secret!]['is_dm'], true);
    assert.ok(all['rooms'][invited]['invite_state'].length > 0);
  });
});

describe('required state', () => {
  test('is what was asked for, with the members of the timeline', async () => {
    const [alice, bob, carol] = await Promise.all([register('a'), register('b'), register('c')]);
    const [roomId] = await rooms(alice, 1, { topic: 'topic' });
    await Promise.all([bob.join(roomId!), carol.join(roomId!)]);
    await bob.send(roomId!, 'hello');
    await slide(alice, list(), { until: shows(roomId, 'hello') });
    const shown = async (required_state: string[][]) =>
      stateOf((await slide(alice, list({ required_state })))['rooms'][roomId!] as Json);
    assert.deepEqual(await shown([['m.room.topic', '']]), ['m.room.topic ']);
    assert.deepEqual(await shown([['m.room.member', '$ME']]), [`m.room.member ${alice.userId}`]);
    assert.deepEqual(await shown([['m.room.member', '$LAZY']]), [`m.room.member ${bob.userId}`]);
    assert.equal((await shown([['m.room.member', '*']])).length, 3);
    assert.equal(
      (await shown([['*', '']])).some((entry) => entry.startsWith('m.room.member')),
      false,
    );
    const lazyAll = await shown([
      ['*', '*'],
      ['m.room.member', '$LAZY'],
    ]);
    assert.deepEqual(
      lazyAll.filter((entry) => entry.startsWith('m.room.member')),
      [`m.room.member ${bob.userId}`],
    );
    assert.ok(lazyAll.includes('m.room.create '));
  });

  test('comes with changes, gaps and new wishes; members once', async () => {
    const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
    const [roomId] = await rooms(alice, 1);
    await bob.join(roomId!);
    const wish = list({
      required_state: [
        ['m.room.topic', ''],
        ['m.room.member', '$LAZY'],
      ],
    });
    let answer = await slide(alice, wish, {
      until: (first) => first['rooms'][roomId!]?.['timeline'].at(-1)['sender'] === bob.userId,
    });
    const next = async (until = (_answer: Json) => true, body = wish) => {
      answer = await slide(alice, body, { pos: answer['pos'] as string, until });
      return answer['rooms'][roomId!] as Json | undefined;
    };
    const sees = (text: string) => next(shows(roomId, text));
    await alice.send(roomId!, 'known already?');
    assert.deepEqual(stateOf((await sees('known already?'))!), [`m.room.member ${alice.userId}`]);
    await alice.send(roomId!, 'known now');
    assert.deepEqual(stateOf((await sees('known now'))!), []);
    await alice.setState(roomId!, 'm.room.topic', { topic: 'new' });
    assert.deepEqual(stateOf((await next((one) => (roomId as string) in one['rooms']))!), [
      'm.room.topic ',
    ]);
    await alice.setState(roomId!, 'm.room.topic', { topic: 'in the gap' });
    await alice.send(roomId!, 'a');
    await alice.send(roomId!, 'b');
    const gap = (await sees('b'))!;
    assert.equal(gap['limited'], true);
    assert.deepEqual(bodies(gap), ['b']);
    assert.equal((gap['required_state'] as Json[])[0]!['content']['topic'], 'in the gap');
    const created = list({ required_state: [['m.room.create', '']] });
    const more = await next(undefined, created);
    assert.deepEqual(stateOf(more!), ['m.room.create ']);
    assert.deepEqual(bodies(more), []);
    assert.equal(await next(undefined, created), undefined);
  });
});

test('a subscription shows a room out of every list, and more of its timeline', async () => {
  const alice = await register('alice');
  const [one, two] = await rooms(alice, 2);
  await alice.send(two!, 'earlier');
  await alice.send(two!, 'later');
  const first = await slide(alice, list({ ranges: [[0, 0]] }), { until: shows(two, 'later') });
  assert.deepEqual(bodies(first['rooms'][two!]), ['later']);
  const wish = {
    ...list({ ranges: [[0, 0]] }),
    room_subscriptions: {
      [one!]: { timeline_limit: 1 },
      [two!]: { timeline_limit: 2 },
      '!unknown:test.example': { timeline_limit: 1 },
    },
  };
  const second = await slide(alice, wish, { pos: first['pos'] as string });
  assert.deepEqual(roomIds(second), sorted(one, two));
  assert.equal(second['rooms'][one!]['initial'], true);
  assert.equal(second['rooms'][two!]['initial'], undefined);
  assert.equal(second['rooms'][two!]['unstable_expanded_timeline'], true);
  assert.deepEqual(bodies(second['rooms'][two!]), ['earlier', 'later']);
  const third = await slide(alice, wish, { pos: second['pos'] as string });
  assert.deepEqual(roomIds(third), []);
});

test('invites, joins and leaves', async () => {
  const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
  let answer = await slide(bob, list({ timeline_limit: 5 }));
  const next = async (until?: (answer: Json) => boolean) => {
    const pos = answer['pos'] as string;
    answer = await slide(bob, list({ timeline_limit: 5 }), { pos, ...(until ? { until } : {}) });
    return answer;
  };
  const joinedCount = (count: number) => (one: Json) => one['lists']['all']['count'] === count;
  const roomId = await alice.createRoom({ preset: 'private_chat', invite: [bob.userId] });
  const invited = (await next(joinedCount(1)))['rooms'][roomId] as Json;
  assert.equal(invited['initial'], true);
  assert.ok((invited['invite_state'] as Json[]).some((event) => event['type'] === 'm.room.create'));
  await bob.join(roomId);
  const joined = (await next((one) => one['rooms'][roomId]?.['timeline'] !== undefined))['rooms'][
    roomId
  ] as Json;
  assert.equal(joined['initial'], true);
  assert.equal(joined['invite_state'], undefined);
  await bob.ok('POST', `${bob.room(roomId)}/leave`, {});
  const left = (await next(joinedCount(0)))['rooms'][roomId] as Json;
  const last = (left['timeline'] as Json[]).at(-1)!;
  assert.equal(last['content']['membership'], 'leave');
  assert.equal(answer['lists']['all']['count'], 0);
  assert.deepEqual(roomIds(await next()), []);
  await alice.send(roomId, 'not for bob');
  await alice.ok('POST', `${alice.room(roomId)}/invite`, { user_id: bob.userId });
  await bob.join(roomId);
  assert.equal((await next(joinedCount(1)))['rooms'][roomId]['initial'], true);
});

test('invites of ignored users are not shown', async () => {
  const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
  await alice.ok(
    'PUT',
    `/_matrix/client/v3/user/${alice.userId}/account_data/m.ignored_user_list`,
    { ignored_users: { [bob.userId]: {} } },
  );
  const carol = await register('carol');
  const invite = { preset: 'private_chat', invite: [alice.userId] };
  const unwanted = await bob.createRoom(invite);
  const wanted = await carol.createRoom(invite);
  // What /sync does not show is hidden, not late.
  await alice.syncUntil({}, (sync) => wanted in (sync['rooms'].invite ?? {}));
  const answer = await slide(alice, list({ ranges: [[0, 9]] }), {
    until: (one) => wanted in one['rooms'],
  });
  assert.deepEqual(roomIds(answer), [wanted]);
  assert.equal(answer['lists']['all'].count, 1);
  assert.ok(!JSON.stringify(answer).includes(unwanted));
});

describe('connections', () => {
  test('give the same again to who asks again, and are told apart by conn_id', async () => {
    const alice = await register('alice');
    const [roomId] = await rooms(alice, 1);
    const isThere = (answer: Json) => (roomId as string) in answer['rooms'];
    const first = await slide(alice, list(), { until: isThere });
    const pos = first['pos'] as string;
    await alice.send(roomId!, 'one');
    const second = await slide(alice, list(), { pos, until: isThere });
    const repeated = await slide(alice, list(), { pos });
    assert.deepEqual(bodies(second['rooms'][roomId!]), ['one']);
    assert.deepEqual(bodies(repeated['rooms'][roomId!]), ['one']);
    await slide(alice, { ...list(), conn_id: 'other' });
    await alice.send(roomId!, 'two');
    const third = await slide(alice, list(), { pos: repeated['pos'] as string, until: isThere });
    assert.deepEqual(bodies(third['rooms'][roomId!]), ['two']);
    assert.equal(third['rooms'][roomId!]['initial'], undefined);
  });

  test('that are not known have to be begun anew', async () => {
    const alice = await register('alice');
    for (const pos of ['nonsense', '5/s1_1', '1/2/3']) {
      // oxlint-disable-next-line no-await-in-loop
      const code = await alice.refused('POST', `${path}?pos=${encodeURIComponent(pos)}`, list());
      assert.equal(code, '400 M_UNKNOWN_POS');
    }
    const odd = list({ ranges: [[5, 1]] });
    assert.equal(await alice.refused('POST', path, odd), '400 M_INVALID_PARAM');
  });

  test('go on in another process', onceOnly, async () => {
    const { dataDir, configPaths } = await makeDataDir();
    const process = new ServerProcess(configPaths);
    await process.start();
    try {
      let alice = await TestClient.register(process.url, 'alice');
      const [one, two] = await rooms(alice, 2);
      const wish = list({ ranges: [[0, 0]], required_state: [['m.room.member', '$LAZY']] });
      const first = await slide(alice, wish);
      await alice.send(one!, 'first in view');
      const second = await slide(alice, wish, { pos: first['pos'] as string });
      await process.end('SIGTERM');
      await process.start();
      alice = Object.assign(new TestClient(process.url), {
        userId: alice.userId,
        token: alice.token,
        deviceId: alice.deviceId,
      });
      await alice.setState(two!, 'm.room.name', { name: 'back' });
      await alice.ok('PUT', `${alice.room(two!)}/send/m.room.message/again`, { body: 'back' });
      const third = await slide(alice, wish, { pos: second['pos'] as string });
      assert.deepEqual(roomIds(third), [two]);
      const back = third['rooms'][two!] as Json;
      assert.equal(back['initial'], undefined);
      assert.equal(back['name'], 'back');
      assert.deepEqual(bodies(back), ['back']);
      assert.deepEqual(stateOf(back), []);
    } finally {
      await process.end('SIGTERM');
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  test('wait for news', async () => {
    const alice = await register('alice');
    const [roomId] = await rooms(alice, 1);
    const first = await slide(alice, list(), {
      until: (answer) => (roomId as string) in answer['rooms'],
    });
    const quiet = await slide(alice, list(), { pos: first['pos'] as string, timeout: 1 });
    assert.deepEqual(roomIds(quiet), []);
    const waiting = slide(alice, list(), { pos: quiet['pos'] as string, timeout: 20_000 });
    await alice.send(roomId!, 'at last');
    assert.deepEqual(bodies((await waiting)['rooms'][roomId!]), ['at last']);
  });
});

test('extensions', async () => {
  const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
  const [roomId] = await rooms(alice, 1);
  await bob.join(roomId!);
  const eventId = await bob.send(roomId!, 'read me');
  const data = `/_matrix/client/v3/user/${alice.userId}`;
  await alice.ok('PUT', `${data}/account_data/a.type`, { n: 1 });
  const enabled = { enabled: true };
  let toDevice: string | undefined;
  const body = () => ({
    ...list(),
    extensions: {
      to_device: { enabled: true, ...(toDevice ? { since: toDevice } : {}) },
      e2ee: enabled,
      account_data: enabled,
      receipts: enabled,
      typing: enabled,
    },
  });
  let answer = await slide(alice, body(), {
    until: (one) =>
      shows(roomId, 'read me')(one) &&
      (one['extensions']['account_data']['global'] as Json[]).some(({ type }) => type === 'a.type'),
  });
  const next = async (): Promise<Json> => {
    toDevice = answer['extensions']['to_device']['next_batch'] as string;
    answer = await slide(alice, body(), { pos: answer['pos'] as string, timeout: 10_000 });
    return answer['extensions'] as Json;
  };
  const begun = answer['extensions'] as Json;
  assert.deepEqual(
    (begun['account_data']['global'] as Json[]).find(({ type }) => type === 'a.type')?.['content'],
    { n: 1 },
  );
  assert.equal(begun['e2ee']['device_one_time_keys_count']['signed_curve25519'], 0);
  assert.deepEqual(begun['to_device']['events'], []);

  await alice.ok('PUT', `${data}/rooms/${encodeURIComponent(roomId!)}/account_data/b.type`, {
    n: 2,
  });
  assert.deepEqual((await next())['account_data']['rooms'][roomId!], [
    { type: 'b.type', content: { n: 2 } },
  ]);
  await bob.ok('PUT', `${bob.room(roomId!)}/typing/${bob.userId}`, {
    typing: true,
    timeout: 20_000,
  });
  assert.deepEqual((await next())['typing']['rooms'][roomId!]['content']['user_ids'], [bob.userId]);
  await bob.ok('POST', `${bob.room(roomId!)}/receipt/m.read/${encodeURIComponent(eventId)}`, {});
  const receipts = (await next())['receipts']['rooms'][roomId!] as Json;
  assert.ok(receipts['content'][eventId]['m.read'][bob.userId]);
  await bob.ok('PUT', '/_matrix/client/v3/sendToDevice/a.message/t1', {
    messages: { [alice.userId]: { [alice.deviceId]: { text: 'psst' } } },
  });
  const got = (await next())['to_device']['events'] as Json[];
  assert.deepEqual(
    got.map((event) => event['content']),
    [{ text: 'psst' }],
  );
  await bob.ok('POST', `${bob.room(roomId!)}/leave`, {});
  const left = await next();
  assert.deepEqual(left['e2ee']['device_lists']['left'], [bob.userId]);
  assert.deepEqual(left['to_device']['events'], []);
});
