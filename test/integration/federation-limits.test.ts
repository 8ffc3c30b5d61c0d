import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { RemoteRoom } from '../harness/remote-room.ts';
import { startRemoteServer, type RemoteServer } from '../harness/remote-server.ts';
import { isOnWorkers, startTestServer, type TestServer } from '../harness/server.ts';

const slow = (burst: number) => `{ per_second: 0.001, burst_count: ${burst} }`;
const answered = 3;
const joins = 2;
const invites = 2;
let server: TestServer;
before(async () => {
  server = await startTestServer(`
rc_federation: { window_size: 3600000, sleep_limit: ${answered}, sleep_delay: 3600000, reject_limit: 0 }
rc_joins: { remote: ${slow(joins)} }
rc_invites: { per_user: ${slow(invites)} }`);
});
const remotes: RemoteServer[] = [];
after(() => Promise.all([server.close(), ...remotes.map((remote) => remote.stop())]));

async function startRemote(): Promise<RemoteServer> {
  const remote = await startRemoteServer();
  remotes.push(remote);
  return remote;
}

const v3 = '/_matrix/client/v3';
const encoded = encodeURIComponent;

test('a server that asks too much is held back, then refused; what it sends is taken', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const [eager, modest] = await Promise.all([startRemote(), startRemote()]);
  const uri = `/_matrix/federation/v1/query/profile?user_id=${encoded(alice.userId)}`;
  for (let i = 0; i < answered; i++) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal((await eager.request(server.url, 'GET', uri)).status, 200);
  }
  // One of them is held back for an hour, and the other is not let in beside it.
  const breaking = new AbortController();
  const both = [1, 2].map(() => eager.fetch(server.url, 'GET', uri, undefined, breaking.signal));
  const refused = await Promise.race(both);
  assert.equal(refused.status, 429);
  const { errcode, retry_after_ms: wait } = (await refused.json()) as Json;
  assert.deepEqual([errcode, wait], ['M_LIMIT_EXCEEDED', 3_600_000 / answered]);
  breaking.abort();
  await Promise.allSettled(both);
  const transaction = { origin: eager.name, origin_server_ts: Date.now(), pdus: [] };
  const sent = await eager.request(server.url, 'PUT', '/_matrix/federation/v1/send/1', transaction);
  assert.equal(sent.status, 200);
  assert.equal((await modest.request(server.url, 'GET', uri)).status, 200);
});

test('a user gets so many invites from other servers, and no more', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const bob = await TestClient.register(server.url, 'bob');
  const [remote, another] = await Promise.all([startRemote(), startRemote()]);
  async function invite(from: RemoteServer, target: TestClient): Promise<number> {
    const room = new RemoteRoom(from, { joinRule: 'invite' });
    const event = room.build({
      type: 'm.room.member',
      sender: room.creator,
      stateKey: target.userId,
      content: { membership: 'invite' },
    });
    const uri = `/_matrix/federation/v2/invite/${encoded(room.roomId)}/${encoded(event.eventId)}`;
    const content = {
      room_version: room.version.id,
      event: room.pdu(event),
      invite_room_state: [...room.state.values()].map(room.pdu),
    };
    return (await from.request(server.url, 'PUT', uri, content)).status;
  }
  for (let i = 0; i < invites; i++) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await invite(remote, alice), 200);
  }
  assert.equal(await invite(remote, alice), 429);
  assert.equal(await invite(another, bob), 200);
  const { rooms } = await alice.ok('GET', `${v3}/sync?timeout=0`);
  assert.equal(Object.keys(rooms.invite as object).length, invites);
});

test('joins by way of other servers have a limit of their own', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const remote = await startRemote();
  let room: RemoteRoom;
  remote.answer = (request) => room.answer(request);
  const here = await alice.createRoom();
  let joined = 0;
  for (;;) {
    room = new RemoteRoom(remote);
    const path = `${v3}/join/${encoded(room.roomId)}?via=${encoded(remote.name)}`;
    // oxlint-disable-next-line no-await-in-loop
    const { status } = await alice.request('POST', path, {});
    if (status === 429) break;
    assert.equal(status, 200);
    joined++;
  }
  const most = (isOnWorkers ? 5 : 1) * joins;
  assert.ok(joined >= joins && joined <= most, `${joined} of ${joins} passed`);
  await alice.ok('POST', `${v3}/join/${encoded(here)}`, {});
});
