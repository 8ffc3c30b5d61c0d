import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let alice: TestClient;
let bob: TestClient;

before(async () => {
  server = await startTestServer();
  [alice, bob] = await Promise.all([
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'bob'),
  ]);
});
after(() => server.close());

const path = '/_matrix/client/v3/search';

async function search(client: TestClient, term: string, more: Json = {}, next = ''): Promise<Json> {
  const body = { search_categories: { room_events: { search_term: term, ...more } } };
  const query = next === '' ? '' : `?next_batch=${next}`;
  const answer = await client.ok('POST', path + query, body);
  return answer['search_categories']['room_events'] as Json;
}

const textsOf = (found: Json) =>
  (found['results'] as Json[]).map(({ result }) => (result as Json)['content']['body'] as string);
const inRoom = (roomId: string, more: Json = {}) => ({ filter: { rooms: [roomId], ...more } });

async function sendAll(client: TestClient, roomId: string, texts: string[]): Promise<string[]> {
  const ids: string[] = [];
  // oxlint-disable-next-line no-await-in-loop -- their order counts
  for (const text of texts) ids.push(await client.send(roomId, text));
  return ids;
}

test('messages are found by their words and by what words begin with', async () => {
  const roomId = await alice.createRoom({ name: 'Plans for Saturday', topic: 'Rowing' });
  await sendAll(alice, roomId, ['Hello, World', 'a worldly thing', 'nothing here']);
  const found = await search(alice, 'WORLD hello', inRoom(roomId));
  assert.deepEqual(textsOf(found), ['Hello, World']);
  assert.equal(found['count'], 1);
  assert.deepEqual(found['highlights'], ['world', 'hello']);
  const both = await search(alice, 'world', { ...inRoom(roomId), order_by: 'recent' });
  assert.deepEqual(textsOf(both), ['a worldly thing', 'Hello, World']);
  const names = await search(alice, 'saturday', inRoom(roomId));
  assert.equal(names['results'][0]['result']['content']['name'], 'Plans for Saturday');
  const bodies = await search(alice, 'saturday', { ...inRoom(roomId), keys: ['content.body'] });
  assert.equal(bodies['count'], 0);
  assert.equal((await search(alice, 'rowing', { keys: ['content.topic'] }))['count'], 1);
  assert.deepEqual((await search(alice, '?!'))['results'], []);
});

test('scripts without spaces are found by any part', async () => {
  const roomId = await alice.createRoom();
  await sendAll(alice, roomId, ['明日東京駅で会いましょう', '京都に行く', '안녕하세요 여러분']);
  const found = async (term: string) => textsOf(await search(alice, term, inRoom(roomId)));
  assert.deepEqual(await found('東京'), ['明日東京駅で会いましょう']);
  assert.deepEqual(await found('京都に'), ['京都に行く']);
  assert.deepEqual(await found('녕하'), ['안녕하세요 여러분']);
  assert.deepEqual(await found('大阪'), []);
});

describe('what is found', () => {
  test('is what the reader may see', async () => {
    const roomId = await alice.createRoom({
      preset: 'public_chat',
      initial_state: [
        {
          type: 'm.room.history_visibility',
          state_key: '',
          content: { history_visibility: 'joined' },
        },
      ],
    });
    await alice.send(roomId, 'porcupine early');
    assert.equal((await search(bob, 'porcupine'))['count'], 0);
    await bob.join(roomId);
    await alice.send(roomId, 'porcupine between');
    await bob.ok('POST', `${bob.room(roomId)}/leave`, {});
    await alice.send(roomId, 'porcupine late');
    assert.deepEqual(textsOf(await search(bob, 'porcupine')), ['porcupine between']);
    const around = { event_context: {}, ...inRoom(roomId) };
    const [result] = (await search(bob, 'porcupine', around))['results'] as Json[];
    assert.deepEqual(
      result!['context']['events_after'].map((event: Json) => event['type']),
      ['m.room.member'],
    );
    assert.equal((await search(alice, 'porcupine', inRoom(roomId)))['count'], 3);
  });

  test('is all that is counted, so that nothing else can be guessed', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await alice.send(roomId, 'armadillo early');
    await bob.join(roomId);
    await bob.ok('POST', `${bob.room(roomId)}/leave`, {});
    await alice.send(roomId, 'armadillo late');
    const one = { order_by: 'recent', filter: { rooms: [roomId], limit: 1 } };
    for (const [term, count] of [
      ['arma', 1],
      ['armadillo late', 0],
      ['lat', 0],
    ] as const) {
      const found = await search(bob, term, one);
      assert.equal(found['count'], count, term);
      assert.equal(textsOf(found).length, count);
      if (count === 0) assert.equal(found['next_batch'], undefined);
    }
    assert.equal((await search(alice, 'armadillo', inRoom(roomId)))['count'], 2);
  });

  test('is nothing redacted, nothing of ignored users, and only of the senders asked for', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const carol = await TestClient.register(server.url, 'carol');
    await Promise.all([bob.join(roomId), carol.join(roomId)]);
    const [gone] = await sendAll(alice, roomId, ['walrus of alice', 'walrus, the second']);
    await bob.send(roomId, 'walrus of bob');
    await carol.send(roomId, 'walrus of carol');
    await carol.send(roomId, 'beside it, of carol');
    await alice.send(roomId, 'an ostrich');
    assert.equal((await search(alice, 'walrus', inRoom(roomId)))['count'], 4);
    await alice.ok('PUT', `${alice.room(roomId)}/redact/${encodeURIComponent(gone!)}/x1`, {});
    assert.equal((await search(alice, 'walrus', inRoom(roomId)))['count'], 3);
    const ofBob = inRoom(roomId, { senders: [bob.userId] });
    assert.deepEqual(textsOf(await search(alice, 'walrus', ofBob)), ['walrus of bob']);
    const notBob = inRoom(roomId, { not_senders: [bob.userId] });
    assert.equal((await search(alice, 'walrus', notBob))['count'], 2);
    await alice.ok(
      'PUT',
      `/_matrix/client/v3/user/${alice.userId}/account_data/m.ignored_user_list`,
      { ignored_users: { [carol.userId]: {} } },
    );
    // Other processes hear of it a moment later.
    let left = 3;
    for (let i = 0; left === 3 && i < 500; i++) {
      // oxlint-disable-next-line no-await-in-loop
      left = (await search(alice, 'walrus', inRoom(roomId)))['count'] as number;
    }
    assert.equal(left, 2);
    const wish = { ...inRoom(roomId), event_context: { before_limit: 2 } };
    const [found] = (await search(alice, 'ostrich', wish))['results'] as Json[];
    const before = (found!['context'].events_before as Json[]).map(
      (event) => event['content'].body,
    );
    assert.ok(!before.includes('beside it, of carol') && !before.includes('walrus of carol'));
  });

  test('comes in pages, by time and by rank', async () => {
    const roomId = await alice.createRoom();
    const texts = Array.from({ length: 7 }, (_, i) => `lemur ${'filler '.repeat(i)}number${i}`);
    await sendAll(alice, roomId, texts);
    for (const order of ['recent', 'rank']) {
      const found: string[] = [];
      let next = '';
      do {
        const wish = { ...inRoom(roomId, { limit: 3 }), order_by: order };
        // oxlint-disable-next-line no-await-in-loop
        const page = await search(alice, 'lemur', wish, next);
        assert.equal(page['count'], 7);
        found.push(...textsOf(page));
        next = (page['next_batch'] as string | undefined) ?? '';
      } while (next !== '');
      assert.deepEqual(found.toSorted(), texts.toSorted());
      if (order === 'recent') assert.deepEqual(found, texts.toReversed());
    }
    const body = { search_categories: { room_events: { search_term: 'x' } } };
    assert.equal(await alice.refused('POST', `${path}?next_batch=x`, body), '400 M_INVALID_PARAM');
  });

  test('comes with its surroundings, profiles, state and groups', async () => {
    const [one, two] = [await alice.createRoom(), await alice.createRoom()];
    await sendAll(alice, one, ['m1', 'm2', 'gibbon', 'm4', 'm5']);
    await sendAll(alice, two, ['gibbon again']);
    const wish = {
      order_by: 'recent',
      event_context: { before_limit: 1, after_limit: 2, include_profile: true },
      include_state: true,
      groupings: { group_by: [{ key: 'room_id' }, { key: 'sender' }] },
    };
    const found = await search(alice, 'gibbon', wish);
    assert.deepEqual(textsOf(found), ['gibbon again', 'gibbon']);
    const { context } = (found['results'] as Json[])[1]!;
    const bodies = (events: Json[]) => events.map((event) => event['content']['body'] as string);
    assert.deepEqual(bodies(context['events_before'] as Json[]), ['m2']);
    assert.deepEqual(bodies(context['events_after'] as Json[]), ['m4', 'm5']);
    assert.equal(
      context['profile_info'][alice.userId]['displayname'],
      alice.userId.slice(1).split(':')[0],
    );
    assert.deepEqual(Object.keys(found['state'] as Json).toSorted(), [one, two].toSorted());
    const types = (found['state'][one] as Json[]).map((event) => event['type'] as string);
    assert.ok(types.includes('m.room.create'));
    assert.deepEqual(Object.keys(found['groups']['room_id'] as Json), [two, one]);
    assert.equal(found['groups']['sender'][alice.userId]['results'].length, 2);
  });

  test('is also in the rooms that an upgraded room replaces', async () => {
    const old = await alice.createRoom({ room_version: '9' });
    await alice.send(old, 'okapi before');
    const upgraded = await alice.ok('POST', `${alice.room(old)}/upgrade`, { new_version: '10' });
    const roomId = upgraded['replacement_room'] as string;
    await alice.send(roomId, 'okapi after');
    const found = await search(alice, 'okapi', { ...inRoom(roomId), order_by: 'recent' });
    assert.deepEqual(textsOf(found), ['okapi after', 'okapi before']);
  });
});

test('a server can have it switched off', async () => {
  const other = await startTestServer('enable_search: false');
  try {
    const dave = await TestClient.register(other.url, 'dave');
    const body = { search_categories: { room_events: { search_term: 'x' } } };
    assert.equal(await dave.refused('POST', path, body), '400 M_UNKNOWN');
  } finally {
    await other.close();
  }
});
