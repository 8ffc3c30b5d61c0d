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
