import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const v3 = '/_matrix/client/v3';
const visibility = (value: string) => ({
  type: 'm.room.history_visibility',
  content: { history_visibility: value },
});
const bodiesIn = (answer: Json) =>
  (answer['chunk'] as Json[]).flatMap((event) => event['content'].body ?? []);

/** What happens in a room that is looked into, until something does. */
async function peek(client: TestClient, roomId: string, from: string): Promise<Json> {
  for (;;) {
    const query = new URLSearchParams({ room_id: roomId, from, timeout: '1000' });
    // oxlint-disable-next-line no-await-in-loop
    const answer = await client.ok('GET', `${v3}/events?${query.toString()}`);
    if (answer['chunk'].length > 0) return answer;
  }
}

test('a room that the world may read is looked into without being in it', async () => {
  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map((name) => TestClient.register(server.url, name)),
  );
  const roomId = await alice!.createRoom({
    preset: 'public_chat',
    name: 'A shop window',
    initial_state: [visibility('world_readable')],
  });
  const before = await alice!.send(roomId, 'before');
  const snapshot = await bob!.ok('GET', `${bob!.room(roomId)}/initialSync`);
  assert.equal(snapshot['membership'], undefined);
  const { chunk, end } = snapshot['messages'] as Json;
  assert.equal((chunk as Json[]).at(-1)!['event_id'], before);
  const name = (snapshot['state'] as Json[]).find((event) => event['type'] === 'm.room.name');
  assert.equal(name!['content'].name, 'A shop window');

  const listening = peek(bob!, roomId, end as string);
  await alice!.send(roomId, 'while somebody looks');
  const heard = await listening;
  assert.deepEqual(bodiesIn(heard), ['while somebody looks']);
  const elsewhere = await bob!.createRoom();
  await bob!.send(elsewhere, 'elsewhere');
  await alice!.send(roomId, 'the next');
  assert.deepEqual(bodiesIn(await peek(bob!, roomId, heard['end'] as string)), ['the next']);
});

test('no other room is looked into, and no more is seen of one than the world may', async () => {
  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map((name) => TestClient.register(server.url, name)),
  );
  const closed = await alice!.createRoom({ preset: 'public_chat' });
  const events = (roomId: string) =>
    `${v3}/events?${new URLSearchParams({ room_id: roomId, timeout: '0' }).toString()}`;
  assert.equal(await bob!.refused('GET', events(closed)), '403 M_FORBIDDEN');
  assert.equal(await bob!.refused('GET', events('!unknown:x')), '403 M_FORBIDDEN');
  const snapshot = `${bob!.room(closed)}/initialSync`;
  assert.equal(await bob!.refused('GET', snapshot), '403 M_FORBIDDEN');
  await alice!.send(closed, 'not for everybody');
  await alice!.setState(closed, 'm.room.history_visibility', {
    history_visibility: 'world_readable',
  });
  await alice!.send(closed, 'for everybody');
  const { messages } = await bob!.ok('GET', snapshot);
  assert.deepEqual(bodiesIn(messages as Json), ['for everybody']);
});

test('/events tells a member of one room what happens there and nothing else', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const [roomId, other] = [await alice.createRoom(), await alice.createRoom()];
  const { next_batch: from } = await alice.sync();
  await alice.send(other, 'elsewhere');
  await alice.send(roomId, 'here');
  assert.deepEqual(bodiesIn(await peek(alice, roomId, from as string)), ['here']);
});
