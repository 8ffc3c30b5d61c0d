import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import {
  identityToken,
  startIdentityServer,
  type IdentityServer,
} from '../harness/identity-server.ts';
import { makeDataDir, ServerProcess } from '../harness/server.ts';

let identity: IdentityServer;
let server: ServerProcess;
let dataDir: string;
before(async () => {
  identity = await startIdentityServer();
  const made = await makeDataDir(`ip_range_whitelist: ['127.0.0.0/8', '::1/128']`);
  dataDir = made.dataDir;
  const authority = join(dataDir, 'authority.pem');
  await writeFile(authority, identity.certificate);
  process.env['NODE_EXTRA_CA_CERTS'] = authority;
  server = new ServerProcess(made.configPaths);
  await server.start();
});
after(async () => {
  await server.end('SIGTERM');
  identity.close();
  await rm(dataDir, { recursive: true, force: true });
});

const wish = (address: string) => ({
  medium: 'email',
  address,
  id_server: identity.name,
  id_access_token: identityToken,
});

async function membershipOf(client: TestClient, roomId: string, userId: string) {
  const path = `${client.room(roomId)}/state/m.room.member/${userId}`;
  const { body } = await client.request('GET', path);
  return (body['membership'] ?? null) as string | null;
}

const bind = (userId: string, invites: Json[]) =>
  new TestClient(server.url).ok('PUT', '/_matrix/federation/v1/3pid/onbind', {
    medium: 'email',
    address: 'a@x.example',
    mxid: userId,
    invites,
  });

test('whom the identity server knows is invited by the user id', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const bob = await TestClient.register(server.url, 'bob');
  identity.known.set('bob@x.example', bob.userId);
  const roomId = await alice.createRoom();
  await alice.ok('POST', `${alice.room(roomId)}/invite`, wish('Bob@X.example'));
  assert.equal(await membershipOf(alice, roomId, bob.userId), 'invite');
  assert.equal(identity.stored.length, 0);
});

test('an invite waits for whom nobody knows yet, and only the identity server can redeem it', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const carol = await TestClient.register(server.url, 'carol');
  const roomId = await alice.createRoom({
    name: 'A room',
    preset: 'private_chat',
    invite_3pid: [wish('carol@x.example')],
  });
  const stored = identity.stored.at(-1)!;
  assert.equal(stored['address'], 'carol@x.example');
  assert.equal(stored['room_name'], 'A room');
  assert.equal(stored['sender'], alice.userId);
  const token = `token${identity.stored.length}`;
  const path = `${alice.room(roomId)}/state/m.room.third_party_invite/${token}`;
  const content = await alice.ok('GET', path);
  assert.equal(content['display_name'], 'a...@x');

  const signed = identity.sign(carol.userId, token);
  const invite = { room_id: roomId, sender: alice.userId, mxid: carol.userId, signed };
  const forged = { ...signed, signatures: { [identity.name]: { 'ed25519:0': 'AAAA' } } };
  await bind(carol.userId, [{ ...invite, signed: forged }]);
  assert.equal(await membershipOf(alice, roomId, carol.userId), null);
  const other = { ...invite, sender: carol.userId };
  await bind(carol.userId, [other]);
  identity.isKeyValid = false;
  await bind(carol.userId, [invite]);
  assert.equal(await membershipOf(alice, roomId, carol.userId), null, 'the key is revoked');
  identity.isKeyValid = true;
  await bind(carol.userId, [invite]);
  assert.equal(await membershipOf(alice, roomId, carol.userId), 'invite');
  await carol.join(roomId);
  await bind(carol.userId, [invite]);
  assert.equal(await membershipOf(alice, roomId, carol.userId), 'join');
});

test('who may not invite makes the identity server send no mail', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const dave = await TestClient.register(server.url, 'dave');
  const roomId = await alice.createRoom({
    preset: 'public_chat',
    power_level_content_override: { invite: 50 },
  });
  await dave.join(roomId);
  const before = identity.stored.length;
  const path = `${dave.room(roomId)}/invite`;
  assert.equal(await dave.refused('POST', path, wish('e@x.example')), '403 M_FORBIDDEN');
  assert.equal(identity.stored.length, before);
  const noToken = { ...wish('e@x.example'), id_access_token: undefined };
  assert.equal(
    await alice.refused('POST', `${alice.room(roomId)}/invite`, noToken),
    '400 M_MISSING_PARAM',
  );
  const elsewhere = { ...wish('e@x.example'), id_server: 'user:password@localhost' };
  assert.equal(
    await alice.refused('POST', `${alice.room(roomId)}/invite`, elsewhere),
    '400 M_INVALID_PARAM',
  );
});

test('an address is published by an identity server and taken back with a signed request', async () => {
  const erin = await TestClient.register(server.url, 'erin');
  const path = '/_matrix/client/v3/account/3pid';
  const proof = { sid: 'erin', client_secret: 's', id_server: identity.name };
  await erin.ok('POST', `${path}/bind`, { ...proof, id_access_token: identityToken });
  const wrong = { ...proof, id_access_token: 'wrong' };
  assert.equal(await erin.refused('POST', `${path}/bind`, wrong), '401 M_UNAUTHORIZED');
  const threepid = { medium: 'email', address: 'erin@x.example' };
  const first = await erin.ok('POST', `${path}/unbind`, threepid);
  assert.equal(first['id_server_unbind_result'], 'success');
  const { authorization, body } = identity.unbound.at(-1)!;
  assert.deepEqual(body, { mxid: erin.userId, threepid });
  assert.match(authorization, /^X-Matrix origin="test\.example",destination="localhost:\d+",key=/);
  const again = await erin.ok('POST', `${path}/unbind`, threepid);
  assert.equal(again['id_server_unbind_result'], 'no-support', 'nobody is known to have it');
});
