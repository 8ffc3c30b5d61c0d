import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const type = 'm.room.server_acl';
const sane = { allow: ['*'], deny: ['evil.example'] };
/** Each would leave nobody of this server, test.example, who could set it right. */
const shuttingOut: Json[] = [
  {},
  { allow: [] },
  { allow: ['*.example.org'] },
  { allow: ['*'], deny: ['TEST.*'] },
];

test('nobody shuts out the own server by mistake', async () => {
  const alice = await TestClient.register(server.url);
  const roomId = await alice.createRoom();
  for (const content of shuttingOut) {
    // oxlint-disable-next-line no-await-in-loop
    const refused = await alice.refused('PUT', `${alice.room(roomId)}/state/${type}`, content);
    assert.equal(refused, '400 M_UNKNOWN', JSON.stringify(content));
  }
  await alice.setState(roomId, type, sane);
  // With a state key it says nothing about servers.
  await alice.setState(roomId, type, {}, 'other');
  const state = await alice.ok('GET', `${alice.room(roomId)}/state/${type}`);
  assert.deepEqual(state, sane);
});

test('no room begins with rules that shut out the own server', async () => {
  const alice = await TestClient.register(server.url);
  const wish = (content: Json) => ({ initial_state: [{ type, state_key: '', content }] });
  const create = '/_matrix/client/v3/createRoom';
  assert.equal(await alice.refused('POST', create, wish({ allow: [] })), '400 M_UNKNOWN');
  await alice.createRoom(wish(sane));
});
