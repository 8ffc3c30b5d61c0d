import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { RemoteRoom } from '../harness/remote-room.ts';
import { startRemoteServer, type RemoteServer } from '../harness/remote-server.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let remote: RemoteServer;
before(async () => {
  remote = await startRemoteServer();
  server = await startTestServer(`
federation_domain_whitelist: ['${remote.name}']
federation_whitelist_endpoint_enabled: true
limit_remote_rooms: {enabled: true, complexity: 0.02, complexity_error: Too much, admins_can_join: true}
`);
});
after(() => Promise.all([server.close(), remote.stop()]));

const v3 = '/_matrix/client/v3';
const encoded = encodeURIComponent;

/** A room of the remote server with so many entries of state; `complexity`: what the server says of it. */
function remoteRoom(entries: number, complexity: number | null): RemoteRoom {
  const room = new RemoteRoom(remote);
  for (let i = room.state.size; i < entries; i++) room.set('x.test', {}, String(i));
  const path = `/_matrix/federation/unstable/rooms/${encoded(room.roomId)}/complexity`;
  remote.answer = (request) => {
    if (request.uri === path && complexity !== null) return [200, { v1: complexity }];
    return room.answer(request);
  };
  return room;
}

const join = (client: TestClient, { roomId }: RemoteRoom) =>
  client.request('POST', `${v3}/join/${encoded(roomId)}?via=${encoded(remote.name)}`, {});

test('a room that is said to be too complex is not joined, but by admins', async () => {
  const room = remoteRoom(5, 0.03);
  const alice = await TestClient.register(server.url, 'alice');
  const { status, body } = await join(alice, room);
  assert.deepEqual([status, body['errcode']], [400, 'M_RESOURCE_LIMIT_EXCEEDED']);
  assert.equal(body['error'], 'Too much');
  assert.deepEqual(room.taken, []);
  const admin = await registerAdmin(server.url);
  assert.equal((await join(admin, room)).status, 200);
  const bob = await TestClient.register(server.url, 'bob');
  assert.equal((await join(bob, room)).status, 200, 'this server is there already');
});

test('a room that is said to be small enough is joined', async () => {
  const room = remoteRoom(20, 0.02);
  const carol = await TestClient.register(server.url, 'carol');
  assert.equal((await join(carol, room)).status, 200);
});

test('where nobody says how complex a room is, it is left again if it is too much', async () => {
  const dan = await TestClient.register(server.url, 'dan');
  const small = remoteRoom(6, null);
  assert.equal((await join(dan, small)).status, 200);
  const large = remoteRoom(15, null);
  const { status, body } = await join(dan, large);
  assert.deepEqual([status, body['errcode']], [400, 'M_RESOURCE_LIMIT_EXCEEDED']);
  const { joined_rooms: joined } = await dan.ok('GET', `${v3}/joined_rooms`);
  assert.deepEqual(joined, [small.roomId]);
});

test('other servers learn how complex an open room is', async () => {
  const erin = await TestClient.register(server.url, 'erin');
  const complexity = async (roomId: string, version = 'v1') => {
    const uri = `/_matrix/federation/${version}/rooms/${encoded(roomId)}/complexity`;
    const { status, body } = await remote.request(server.url, 'GET', uri);
    return status === 200 ? body : `${status} ${body['errcode'] as string}`;
  };
  const open = await erin.createRoom({ preset: 'public_chat' });
  for (let i = 0; i < 10; i++) {
    // oxlint-disable-next-line no-await-in-loop -- in their order
    await erin.ok('PUT', `${erin.room(open)}/state/x.test/${i}`, { i });
  }
  const state = (await erin.ok('GET', `${erin.room(open)}/state`)) as unknown as Json[];
  const expected = { v1: Math.round(state.length / 5) / 100 };
  assert.deepEqual(await complexity(open), expected);
  assert.deepEqual(await complexity(open, 'unstable'), expected);
  const closed = await erin.createRoom({ preset: 'private_chat' });
  assert.equal(await complexity(closed), '404 M_NOT_FOUND');
  await erin.ok('POST', `${erin.room(open)}/leave`, {});
  assert.equal(await complexity(open), '404 M_NOT_FOUND');
});

test('users may read which servers are contacted, where that is wanted', async () => {
  const frank = await TestClient.register(server.url, 'frank');
  const path = '/_synapse/client/v1/config/federation_whitelist';
  const expected = { whitelist_enabled: true, whitelist: [remote.name] };
  assert.deepEqual(await frank.ok('GET', path), expected);
  assert.equal((await fetch(server.url + path)).status, 401);
});
