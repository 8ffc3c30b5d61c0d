import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

async function upgraded(client: TestClient, roomId: string, wish: Json): Promise<string> {
  const answer = await client.ok('POST', `${client.room(roomId)}/upgrade`, wish);
  return answer['replacement_room'] as string;
}

const stateOf = (client: TestClient, roomId: string, type: string) =>
  client.ok('GET', `${client.room(roomId)}/state/${type}/`);

test('the new room names the last event of the old one', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const roomId = await alice.createRoom();
  const last = await alice.send(roomId, 'the last');
  const newId = await upgraded(alice, roomId, { new_version: '11' });
  const create = await stateOf(alice, newId, 'm.room.create');
  assert.deepEqual(create['predecessor'], { room_id: roomId, event_id: last });
});

test('a direct chat stays one', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const roomId = await alice.createRoom();
  const path = `/_matrix/client/v3/user/${encodeURIComponent(alice.userId)}/account_data/m.direct`;
  await alice.ok('PUT', path, { '@bob:x': ['!a:x', roomId], '@carol:x': ['!a:x'] });
  const newId = await upgraded(alice, roomId, { new_version: '11' });
  const expected = { '@bob:x': ['!a:x', roomId, newId], '@carol:x': ['!a:x'] };
  assert.deepEqual(await alice.ok('GET', path), expected);
});

test('creators of a room keep their power where creators have a power level', async () => {
  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map((name) => TestClient.register(server.url, name)),
  );
  const roomId = await alice!.createRoom({
    room_version: '12',
    creation_content: { additional_creators: [bob!.userId] },
  });
  const newId = await upgraded(alice!, roomId, { new_version: '11' });
  const levels = await stateOf(alice!, newId, 'm.room.power_levels');
  const needed = levels['events']['m.room.tombstone'] as number;
  assert.deepEqual(levels['users'], { [alice!.userId]: needed, [bob!.userId]: needed });
  await alice!.setState(newId, 'm.room.name', { name: 'still in charge' });
});

test('whoever has more power than is usual keeps it', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const levels = { users: { [alice.userId]: 150 }, events: { 'm.room.name': 120 } };
  const roomId = await alice.createRoom({
    name: 'A name',
    room_version: '10',
    power_level_content_override: levels,
  });
  const newId = await upgraded(alice, roomId, { new_version: '11' });
  const { users } = await stateOf(alice, newId, 'm.room.power_levels');
  assert.deepEqual(users, levels.users);
  assert.equal((await stateOf(alice, newId, 'm.room.name'))['name'], 'A name');
});

test('a room that there cannot be is not made', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const create = (wish: Json) => alice.refused('POST', '/_matrix/client/v3/createRoom', wish);
  const impossible = '400 M_INVALID_ROOM_STATE';
  const own = { users: { [alice.userId]: 100 } };
  const listed = { room_version: '12', power_level_content_override: own };
  assert.equal(await create(listed), '400 M_BAD_JSON');
  const powerless = { users: {} };
  assert.equal(
    await create({ room_version: '11', name: 'x', power_level_content_override: powerless }),
    impossible,
  );
  const wish = { new_version: '12', additional_creators: ['nobody'] };
  const path = `${alice.room(await alice.createRoom())}/upgrade`;
  assert.equal(await alice.refused('POST', path, wish), '400 M_BAD_JSON');
});
