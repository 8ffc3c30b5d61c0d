import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import pg from 'pg';
import { joinPdu } from '../../src/matrix/event-builder.ts';
import type { JsonObject, Pdu } from '../../src/matrix/pdu.ts';
import { isSignedByPolicyServer, policyIn } from '../../src/matrix/policy-server.ts';
import { roomVersion } from '../../src/matrix/room-versions.ts';
import { parseSigningKey, verifySignedJson } from '../../src/matrix/signing.ts';
import { TestClient } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startPolicyServer, type PolicyServer } from '../harness/policy-server.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

const version = '11';
let policyServer: PolicyServer;
let server: TestServer;
let alice: TestClient;
let authorityFolder: string;

// The policy server has the name of the homeserver, and so has users in its rooms.
before(async () => {
  policyServer = await startPolicyServer(version);
  authorityFolder = await mkdtemp(join(tmpdir(), 'lattice-authority-'));
  const authority = join(authorityFolder, 'authority.pem');
  await writeFile(authority, policyServer.certificate);
  server = await startTestServer(`
server_name: '${policyServer.name}'
federation_custom_ca_list: ['${authority}']
ip_range_whitelist: ['127.0.0.0/8', '::1/128']
`);
  alice = await TestClient.register(server.url, 'alice');
});
after(async () => {
  await server.close();
  await policyServer.stop();
  await rm(authorityFolder, { recursive: true, force: true });
});
const signsAll = (pdu: Pdu, sign: (pdu: Pdu) => [number, JsonObject]) => sign(pdu);
afterEach(() => {
  policyServer.judge = signsAll;
});

const policyPath = (roomId: string) => `${alice.room(roomId)}/state/m.room.policy`;

async function createRoom(policy = policyServer.policy): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat', room_version: version });
  await alice.ok('PUT', policyPath(roomId), policy);
  policyServer.asked.length = 0;
  return roomId;
}

/** An event as it is stored, and will be sent to other servers. */
async function storedPdu(eventId: string): Promise<Pdu> {
  const postgres = join(server.dataDir, 'data', 'postgres', 'data', 'postmaster.pid');
  const host = (await readFile(postgres, 'utf8')).split('\n')[4]!;
  const client = new pg.Client({ host, port: 5432, user: 'lattice', database: 'lattice' });
  await client.connect();
  try {
    const { rows } = await client.query(
      'select envelope, content_at as at, content from events where event_id = $1',
      [eventId],
    );
    return JSON.parse(joinPdu(rows[0].envelope, rows[0].at, rows[0].content)) as Pdu;
  } finally {
    await client.end();
  }
}

const typesAsked = () => policyServer.asked.splice(0).map(({ pdu }) => pdu.type);

test('an event is signed by the policy server, which is asked with a signed request', async () => {
  const roomId = await createRoom();
  const eventId = await alice.send(roomId, 'hello');
  const [request] = policyServer.asked.splice(0);
  const { authorization, host, pdu } = request!;
  assert.equal(host, policyServer.name);
  const keyFile = join(server.dataDir, 'data', 'signing.key');
  const key = parseSigningKey(await readFile(keyFile, 'utf8'));
  const fields = Object.fromEntries(
    [...authorization.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]),
  );
  const { origin = '', destination = '', sig = '' } = fields;
  assert.deepEqual(
    [origin, destination, fields['key']],
    [policyServer.name, policyServer.name, key.id],
  );
  const signed = {
    method: 'POST',
    uri: '/_matrix/policy/v1/sign',
    origin,
    destination,
    content: pdu as unknown as JsonObject,
    signatures: { [origin]: { [key.id]: sig } },
  };
  assert.ok(verifySignedJson(signed, origin, key));

  const stored = await storedPdu(eventId);
  assert.deepEqual({ ...stored, signatures: pdu.signatures }, pdu);
  const names = Object.keys(stored.signatures[policyServer.name]!);
  assert.deepEqual(names.toSorted(), [key.id, 'ed25519:policy_server'].toSorted());
  const policy = policyIn(policyServer.policy)!;
  assert.ok(isSignedByPolicyServer(roomVersion(version), stored, policy));
  const path = `${alice.room(roomId)}/event/${encodeURIComponent(eventId)}`;
  const shown = await eventually(() => alice.ok('GET', path));
  assert.equal(shown['content']['body'], 'hello');
});

test('whatever is sent to the room is checked, but not what names the policy server', async () => {
  const roomId = await createRoom();
  const bob = await TestClient.register(server.url, 'bob');
  await bob.join(roomId);
  assert.deepEqual(typesAsked(), ['m.room.member']);
  await alice.ok('PUT', `${alice.room(roomId)}/state/m.room.topic`, { topic: 'a' });
  const eventId = await bob.send(roomId, 'hello');
  await bob.ok('PUT', `${bob.room(roomId)}/redact/${encodeURIComponent(eventId)}/r`, {});
  await alice.ok('PUT', `${policyPath(roomId)}/other`, {});
  await bob.ok('POST', `${bob.room(roomId)}/leave`, {});
  assert.deepEqual(typesAsked(), [
    'm.room.topic',
    'm.room.message',
    'm.room.redaction',
    'm.room.policy',
    'm.room.member',
  ]);
  await alice.ok('PUT', policyPath(roomId), {});
  await alice.send(roomId, 'free');
  assert.deepEqual(typesAsked(), []);
});

test('a refusal is told word for word, and the event is not in the room', async () => {
  const roomId = await createRoom();
  const error = { errcode: 'M_FORBIDDEN', error: 'The message appears to contain possible spam' };
  policyServer.judge = (pdu, sign) => (pdu.content['body'] === 'spam' ? [400, error] : sign(pdu));
  const path = `${alice.room(roomId)}/send/m.room.message/spam`;
  const refused = await alice.request('PUT', path, { msgtype: 'm.text', body: 'spam' });
  assert.deepEqual(refused, { status: 400, body: error });
  const eventId = await alice.send(roomId, 'no spam');
  await eventually(async () => {
    const { chunk } = await alice.ok('GET', `${alice.room(roomId)}/messages?dir=b&limit=2`);
    const events = chunk as { type: string; event_id: string }[];
    assert.equal(events[0]!.event_id, eventId);
    assert.equal(events[1]!.type, 'm.room.policy');
  });
  const limit = { errcode: 'M_LIMIT_EXCEEDED', error: 'Slow down', retry_after_ms: 2000 };
  policyServer.judge = () => [429, limit];
  const later = await alice.request('PUT', path, { msgtype: 'm.text', body: 'more' });
  assert.deepEqual(later, { status: 429, body: limit });
});

test('an answer without a valid signature is a refusal', async () => {
  const roomId = await createRoom();
  const path = `${alice.room(roomId)}/send/m.room.message/no`;
  policyServer.judge = () => [200, {}];
  assert.equal(await alice.refused('PUT', path, { body: 'no' }), '403 M_FORBIDDEN');
  policyServer.judge = (pdu, sign) => sign({ ...pdu, depth: 1 });
  assert.equal(await alice.refused('PUT', path, { body: 'no' }), '403 M_FORBIDDEN');
});

test('while one room waits for its policy server, others go on', async () => {
  const [roomId, other] = [await createRoom(), await createRoom()];
  const arrived = Promise.withResolvers<void>();
  const decided = Promise.withResolvers<void>();
  policyServer.judge = async (pdu, sign) => {
    if (pdu.room_id === roomId) {
      arrived.resolve();
      await decided.promise;
    }
    return sign(pdu);
  };
  const waiting = alice.send(roomId, 'waiting');
  await arrived.promise;
  const free = await alice.createRoom();
  await alice.send(free, 'no policy server');
  await alice.send(other, 'another room of the same policy server');
  decided.resolve();
  await waiting;
});

test('while the policy server is away nothing is sent, unless the room dismisses it', async () => {
  const roomId = await createRoom();
  const dismissing = await createRoom();
  const path = `${alice.room(roomId)}/send/m.room.message/away`;
  await policyServer.stop();
  try {
    assert.equal(await alice.refused('PUT', path, { body: 'a' }), '502 M_UNKNOWN');
    assert.equal(await alice.refused('PUT', path, { body: 'b' }), '502 M_UNKNOWN');
    await alice.ok('PUT', policyPath(dismissing), {});
    await alice.send(dismissing, 'free');
  } finally {
    await policyServer.start();
  }
  await eventually(async () => {
    assert.equal((await alice.request('PUT', path, { body: 'c' })).status, 200);
  });
});

test('a policy server without users in the room is not asked', async () => {
  const roomId = await createRoom({ ...policyServer.policy, via: 'elsewhere.example' });
  await alice.send(roomId, 'hello');
  assert.deepEqual(typesAsked(), []);
});

test('a room may begin with a policy server', async () => {
  policyServer.asked.length = 0;
  const initial = [{ type: 'm.room.policy', state_key: '', content: policyServer.policy }];
  const roomId = await alice.createRoom({
    initial_state: initial,
    room_version: version,
    name: 'a',
  });
  assert.deepEqual(typesAsked(), ['m.room.name']);
  await alice.send(roomId, 'hello');
  assert.deepEqual(typesAsked(), ['m.room.message']);
});
