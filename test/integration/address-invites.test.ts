import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JsonObject } from '../../src/matrix/pdu.ts';
import { generateSigningKeyLine, parseSigningKey, signJson } from '../../src/matrix/signing.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startFederatedServer, type FederatedServer } from '../harness/federated-server.ts';
import { startRemoteServer, type RemoteServer } from '../harness/remote-server.ts';

let one: FederatedServer;
let other: FederatedServer;
let stranger: RemoteServer;
before(async () => {
  [one, other] = await Promise.all([startFederatedServer(), startFederatedServer()]);
  stranger = await startRemoteServer(one.name);
});
after(() => Promise.all([one.close(), other.close(), stranger.stop()]));

const v3 = '/_matrix/client/v3';
const encoded = encodeURIComponent;
const identity = parseSigningKey(generateSigningKeyLine('0'));
const sign = (mxid: string, token: string, key = identity) =>
  signJson({ mxid, token }, 'identity.example', key);

/** A room with an invite of an address, as it is after the identity server has stored it. */
async function inviteAddress(alice: TestClient, token: string): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'private_chat' });
  await alice.setState(
    roomId,
    'm.room.third_party_invite',
    { display_name: 'b...@x', public_keys: [{ public_key: identity.publicKey }] },
    token,
  );
  return roomId;
}

const bind = (
  server: FederatedServer,
  userId: string,
  invite: { room_id: string; sender: string; signed: JsonObject },
) =>
  new TestClient(server.url).ok('PUT', '/_matrix/federation/v1/3pid/onbind', {
    medium: 'email',
    address: 'b@x.example',
    mxid: userId,
    invites: [{ medium: 'email', address: 'b@x.example', mxid: userId, ...invite } as Json],
  });

const memberOf = async (client: TestClient, roomId: string, userId: string) =>
  client.ok('GET', `${client.room(roomId)}/state/m.room.member/${encoded(userId)}`);

test('an invite by address is redeemed by a user of a server that is not in the room', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const roomId = await inviteAddress(alice, 'first');
  const invite = { room_id: roomId, sender: alice.userId };
  const forger = parseSigningKey(generateSigningKeyLine('0'));
  await bind(other, bob.userId, { ...invite, signed: sign(bob.userId, 'first', forger) });
  const absent = await alice.request(
    'GET',
    `${alice.room(roomId)}/state/m.room.member/${encoded(bob.userId)}`,
  );
  assert.equal(absent.status, 404);

  await bind(other, bob.userId, { ...invite, signed: sign(bob.userId, 'first') });
  const { rooms } = await bob.ok('GET', `${v3}/sync?timeout=0`);
  assert.ok(rooms.invite[roomId]);
  const member = await memberOf(alice, roomId, bob.userId);
  assert.equal(member['membership'], 'invite');
  assert.equal(member['third_party_invite'].display_name, 'b...@x');
  await bob.ok('POST', `${bob.room(roomId)}/join`, {});
  // What was signed once does not put who is in the room out of it.
  await bind(other, bob.userId, { ...invite, signed: sign(bob.userId, 'first') });
  assert.equal((await memberOf(bob, roomId, bob.userId))['membership'], 'join');
});

test('a server that is in the room redeems what a user of another has sent', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const bob = await TestClient.register(other.url, 'bob');
  const carol = await TestClient.register(other.url, 'carol');
  const roomId = await inviteAddress(alice, 'second');
  await alice.ok('POST', `${alice.room(roomId)}/invite`, { user_id: bob.userId });
  await bob.ok('POST', `${bob.room(roomId)}/join`, {});
  const signed = sign(carol.userId, 'second');
  await bind(other, carol.userId, { room_id: roomId, sender: alice.userId, signed });
  const { rooms } = await carol.ok('GET', `${v3}/sync?timeout=0`);
  assert.ok(rooms.invite[roomId]);
  await eventually(async () => {
    const member = await memberOf(alice, roomId, carol.userId);
    assert.equal(member['membership'], 'invite');
  });
  await carol.ok('POST', `${carol.room(roomId)}/join`, {});
  await eventually(async () => {
    const member = await memberOf(alice, roomId, carol.userId);
    assert.equal(member['membership'], 'join');
  });
});

test('only the server of the invited user may exchange an invite, and only as it was made', async () => {
  const alice = await TestClient.register(one.url, 'alice');
  const roomId = await inviteAddress(alice, 'third');
  const uri = (id: string) => `/_matrix/federation/v1/exchange_third_party_invite/${encoded(id)}`;
  const invited = `@guest:${stranger.name}`;
  async function exchange(changes: JsonObject = {}, signed = sign(invited, 'third')) {
    const content = { membership: 'invite', third_party_invite: { display_name: '', signed } };
    const event = { type: 'm.room.member', room_id: roomId, sender: alice.userId };
    const wish = { ...event, state_key: invited, content, ...changes };
    const { status, body } = await stranger.request(one.url, 'PUT', uri(roomId), wish);
    return status === 200 ? '200' : `${status} ${body['errcode'] as string}`;
  }
  assert.equal(await exchange({ state_key: `@guest:${other.name}` }), '403 M_FORBIDDEN');
  assert.equal(await exchange({ sender: `@x:${stranger.name}` }), '403 M_FORBIDDEN');
  assert.equal(await exchange({}, sign(invited, 'unknown')), '403 M_FORBIDDEN');
  assert.equal(await exchange({}, sign(`@x:${stranger.name}`, 'third')), '403 M_FORBIDDEN');
  assert.equal(await exchange({ room_id: '!other:x' }), '400 M_INVALID_PARAM');
  assert.equal(await exchange({ type: 'm.room.message' }), '400 M_INVALID_PARAM');
  assert.equal(await exchange(), '404 M_UNRECOGNIZED', 'as the user’s server answers');
  stranger.answer = ({ uri: asked, content }) =>
    asked.startsWith('/_matrix/federation/v2/invite/')
      ? [200, { event: content['event'] as JsonObject }]
      : null;
  assert.equal(await exchange(), '200');
  assert.equal((await memberOf(alice, roomId, invited))['membership'], 'invite');
});
