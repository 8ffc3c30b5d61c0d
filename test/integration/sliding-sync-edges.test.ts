import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const path = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync';
const register = (name: string) => TestClient.register(server.url, name);

/** Asks the same again until the answer is the one looked for. */
async function slideUntil(
  client: TestClient,
  body: Json,
  isThere: (answer: Json) => boolean,
  pos?: string,
): Promise<Json> {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop
    const answer = await client.ok('POST', pos ? `${path}?pos=${pos}&timeout=1000` : path, body);
    if (isThere(answer)) return answer;
  }
}

test('no more messages to a device at once than are asked for', async () => {
  const alice = await register('alice');
  for (const n of [1, 2, 3]) {
    // oxlint-disable-next-line no-await-in-loop -- their order counts
    await alice.ok('PUT', `/_matrix/client/v3/sendToDevice/a.message/t${n}`, {
      messages: { [alice.userId]: { [alice.deviceId]: { n } } },
    });
  }
  const wish = { enabled: true, limit: 2 };
  const numbers = (answer: Json) =>
    (answer['extensions']['to_device']['events'] as Json[]).map((event) => event['content'].n);
  const body = { extensions: { to_device: wish } };
  const first = await slideUntil(alice, body, (answer) => numbers(answer).length === 2);
  assert.deepEqual(numbers(first), [1, 2]);
  const since = first['extensions']['to_device']['next_batch'] as string;
  const rest = { extensions: { to_device: { ...wish, since } } };
  const second = await slideUntil(alice, rest, (answer) => numbers(answer).length === 1);
  assert.deepEqual(numbers(second), [3]);
});

test('who is made to leave a room has it from the state', async () => {
  const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const isShown = (answer: Json) => answer['rooms'][roomId] !== undefined;
  for (const limit of [0, 1]) {
    // oxlint-disable no-await-in-loop
    const body = {
      lists: { all: { ranges: [[0, 9]], timeline_limit: limit, required_state: [] } },
    };
    const { pos } = await slideUntil(bob, body, isShown);
    await alice.ok('POST', `${alice.room(roomId)}/kick`, { user_id: bob.userId });
    const gone = await slideUntil(bob, body, isShown, pos as string);
    const state = (gone['rooms'][roomId]['required_state'] as Json[]).map(
      (event) => `${event['type']} ${event['state_key']} ${event['content'].membership}`,
    );
    assert.deepEqual(state, [`m.room.member ${bob.userId} leave`]);
    await bob.join(roomId);
    // oxlint-enable no-await-in-loop
  }
});

const everything = {
  lists: {
    all: { ranges: [[0, 9]], timeline_limit: 10, required_state: [['*', '*']] },
  },
};

for (const how of ['kick', 'ban']) {
  test(`${how}: the room is listed as it was then, until it is forgotten`, async () => {
    const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
    const roomId = await alice.createRoom({ preset: 'public_chat', name: 'Then' });
    await bob.join(roomId);
    const said = await alice.send(roomId, 'before');
    await alice.ok('POST', `${alice.room(roomId)}/${how}`, { user_id: bob.userId });
    const membership = how === 'ban' ? 'ban' : 'leave';
    await alice.send(roomId, 'after');
    await alice.ok('PUT', `${alice.room(roomId)}/state/m.room.name/`, { name: 'Now' });
    const left = await bob.createRoom();
    await bob.ok('POST', `${bob.room(left)}/leave`, {});
    const ownMembership = (answer: Json) =>
      (answer['rooms'][roomId]?.['required_state'] as Json[] | undefined)?.find(
        (event) => event['state_key'] === bob.userId,
      )?.['content'].membership as string | undefined;
    const first = await slideUntil(
      bob,
      everything,
      (answer) => ownMembership(answer) === membership && answer['rooms'][left] === undefined,
    );
    const room = first['rooms'][roomId];
    assert.deepEqual([room.initial, room.name, first['lists'].all.count], [true, 'Then', 1]);
    const timeline = room.timeline as Json[];
    assert.equal(timeline.at(-2)!['event_id'], said);
    assert.equal(timeline.at(-1)!['content'].membership, membership);
    const names = (room.required_state as Json[]).filter(({ type }) => type === 'm.room.name');
    assert.deepEqual(
      names.map(({ content }) => content.name),
      ['Then'],
    );

    // The connection knows that now.
    const quiet = await bob.ok('POST', `${path}?pos=${first['pos']}`, everything);
    assert.deepEqual([quiet['rooms'], quiet['lists'].all.count], [{}, 1]);
    if (how === 'ban')
      await alice.ok('POST', `${alice.room(roomId)}/unban`, { user_id: bob.userId });
    else {
      await bob.join(roomId);
      const back = await slideUntil(
        bob,
        everything,
        (answer) => ownMembership(answer) === 'join',
        quiet['pos'] as string,
      );
      assert.deepEqual([back['rooms'][roomId].name, back['rooms'][roomId].initial], ['Now', true]);
      await alice.ok('POST', `${alice.room(roomId)}/kick`, { user_id: bob.userId });
    }
    const isListed = (answer: Json) => answer['lists'].all.count === 1;
    await slideUntil(bob, everything, (answer) => ownMembership(answer) === 'leave');
    await bob.ok('POST', `${bob.room(roomId)}/forget`, {});
    const last = await slideUntil(bob, everything, (answer) => !isListed(answer));
    assert.deepEqual(last['rooms'], {});
  });
}

test('of a room that one was never in, only that the invite was taken back is told', async () => {
  const [alice, bob] = await Promise.all([register('alice'), register('bob')]);
  const roomId = await alice.createRoom({ name: 'Secret', invite: [bob.userId] });
  await alice.ok('POST', `${alice.room(roomId)}/ban`, { user_id: bob.userId });
  const isShown = (answer: Json) => answer['rooms'][roomId]?.['required_state'] !== undefined;
  const { rooms } = await slideUntil(bob, everything, isShown);
  const { required_state: state, timeline = [], name } = rooms[roomId];
  assert.deepEqual(
    (state as Json[]).map(({ type, state_key, content }) => [type, state_key, content.membership]),
    [['m.room.member', bob.userId, 'ban']],
  );
  assert.equal(name, undefined);
  assert.deepEqual(
    (timeline as Json[]).filter((event) => event['state_key'] !== bob.userId),
    [],
  );
});
