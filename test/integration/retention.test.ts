import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let admin: TestClient;
let alice: TestClient;
let bob: TestClient;

before(async () => {
  server = await startTestServer(`
retention: {enabled: true}
forgotten_room_retention_period: 50ms`);
  [admin, alice, bob] = await Promise.all([
    registerAdmin(server.url),
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'bob'),
  ]);
});
after(() => server.close());

const bodiesIn = (events: Json[]) =>
  events.filter((e) => e['state_key'] === undefined).map((e) => e['content'].body as string);

test('what is too old for the room’s policy is shown nowhere', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const word = uniqueName('old');
  await bob.join(roomId);
  const eventId = await alice.send(roomId, word);
  const path = bob.room(roomId);
  const messages = async () => bodiesIn((await bob.ok('GET', `${path}/messages?dir=b`))['chunk']);
  await eventually(async () => assert.deepEqual(await messages(), [word]));
  await alice.setState(roomId, 'm.room.retention', { max_lifetime: 1 });
  await eventually(async () => assert.deepEqual(await messages(), []));
  const event = `${path}/event/${encodeURIComponent(eventId)}`;
  const context = `${path}/context/${encodeURIComponent(eventId)}`;
  await eventually(async () => assert.equal(await bob.refused('GET', event), '404 M_NOT_FOUND'));
  await eventually(async () => assert.equal(await bob.refused('GET', context), '404 M_NOT_FOUND'));
  await eventually(async () => {
    const { timeline } = (await bob.sync())['rooms'].join[roomId];
    assert.deepEqual(bodiesIn(timeline.events), []);
    assert.ok(timeline.events.length > 0, 'state is shown');
  });
  const { search_categories: found } = await bob.ok('POST', '/_matrix/client/v3/search', {
    search_categories: { room_events: { search_term: word } },
  });
  assert.deepEqual(found.room_events.results, []);
  // Admins see what there is.
  const all = `/_synapse/admin/v1/rooms/${encodeURIComponent(roomId)}/messages?dir=b`;
  assert.deepEqual(bodiesIn((await admin.ok('GET', all))['chunk']), [word]);
  await alice.setState(roomId, 'm.room.retention', {});
  await eventually(async () => assert.deepEqual(await messages(), [word]));
});

test('a room that all have forgotten is deleted after a while', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const details = `/_synapse/admin/v1/rooms/${encodeURIComponent(roomId)}`;
  for (const client of [alice, bob]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await admin.ok('GET', details);
    // oxlint-disable-next-line no-await-in-loop
    await client.ok('POST', `${client.room(roomId)}/leave`, {});
    // oxlint-disable-next-line no-await-in-loop
    await client.ok('POST', `${client.room(roomId)}/forget`, {});
  }
  await eventually(async () => {
    assert.equal(await admin.refused('GET', details), '404 M_NOT_FOUND');
  });
});
