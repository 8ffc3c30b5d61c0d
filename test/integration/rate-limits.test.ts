import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { isOnWorkers, startTestServer, type TestServer } from '../harness/server.ts';

const slow = (burst: number) => `{ per_second: 0.001, burst_count: ${burst} }`;
let server: TestServer;
let admin: TestClient;
before(async () => {
  server = await startTestServer(`
rc_message: ${slow(6)}
rc_admin_redaction: ${slow(2)}
rc_joins_per_room: ${slow(4)}
rc_invites: { per_issuer: ${slow(50)}, per_room: ${slow(8)}, per_user: ${slow(4)} }
rc_delayed_event_mgmt: ${slow(2)}`);
  admin = await registerAdmin(server.url);
});
after(() => server.close());

const limited = '429 M_LIMIT_EXCEEDED';
const register = (name: string) => TestClient.register(server.url, name);

/** Makes requests until one is refused; how many were not. */
async function passed(request: (nth: number) => Promise<{ status: number }>, most = 40) {
  for (let i = 0; i < most; i++) {
    // oxlint-disable-next-line no-await-in-loop
    const { status } = await request(i);
    if (status === 429) return i;
    assert.equal(status, 200);
  }
  return Infinity;
}

/** So many passed, and on a worker set a share of them in each process on top. */
function isLimit(count: number, burst: number): void {
  assert.ok(
    count >= burst && count <= (isOnWorkers ? 5 : 1) * burst,
    `${count} of ${burst} passed`,
  );
}

const sendTo = (user: TestClient, roomId: string) => (i: number) =>
  user.request('PUT', `${user.room(roomId)}/send/m.room.message/${user.userId}${i}`, { body: 'a' });

test('a user gets a limit of its own, none at all, and the usual one again', async () => {
  const alice = await register('alice');
  const roomId = await alice.createRoom();
  const path = `/_synapse/admin/v1/users/${encodeURIComponent(alice.userId)}/override_ratelimit`;
  isLimit(await passed(sendTo(alice, roomId)), 6);
  assert.deepEqual(await admin.ok('GET', path), {});
  const unlimited = { messages_per_second: 0, burst_count: 0 };
  assert.deepEqual(await admin.ok('POST', path, {}), unlimited);
  assert.deepEqual(await admin.ok('GET', path), unlimited);
  await eventually(async () =>
    assert.equal(await passed((i) => sendTo(alice, roomId)(100 + i), 15), Infinity),
  );
  const own = { messages_per_second: 1, burst_count: 200 };
  assert.deepEqual(await admin.ok('POST', path, own), own);
  await eventually(async () =>
    assert.equal(await passed((i) => sendTo(alice, roomId)(200 + i), 15), Infinity),
  );
  assert.deepEqual(await admin.ok('DELETE', path), {});
  assert.deepEqual(await admin.ok('GET', path), {});
  await eventually(async () =>
    assert.ok((await passed((i) => sendTo(alice, roomId)(300 + i), 15)) < 15),
  );
  assert.equal(await alice.refused('GET', path), '403 M_FORBIDDEN');
  assert.equal(await admin.refused('POST', path, { messages_per_second: -1 }), '400 M_BAD_JSON');
  const unknown = path.replace('alice', 'nobody');
  assert.equal(await admin.refused('GET', unknown), '404 M_NOT_FOUND');
});

test("redactions of others' events have a limit of their own", async () => {
  const [bob, carol] = await Promise.all([register('bob'), register('carol')]);
  const roomId = await bob.createRoom({ preset: 'public_chat' });
  await carol.join(roomId);
  const events = await Promise.all([1, 2, 3, 4].map((i) => carol.send(roomId, `${i}`)));
  const redact = (id: string) => (i: number) =>
    bob.request('PUT', `${bob.room(roomId)}/redact/${encodeURIComponent(id)}/${id}${i}`, {});
  isLimit(await passed((i) => redact(events[i % 4]!)(i)), 2);
  await bob.send(roomId, 'which counts apart');
});

test('a room lets in so many in a time', async () => {
  const dave = await register('dave');
  const roomId = await dave.createRoom({ preset: 'public_chat' });
  const guests = await Promise.all(Array.from({ length: 24 }, (_, i) => register(`guest${i}`)));
  const join = (i: number) => guests[i]!.request('POST', `/_matrix/client/v3/join/${roomId}`, {});
  isLimit(await passed(join, 24), 4);
  assert.equal((await dave.request('POST', `${dave.room(roomId)}/join`, {})).status, 200);
});

test('a user and a room get so many invites in a time', async () => {
  const [erin, frank] = await Promise.all([register('erin'), register('frank')]);
  const rooms = await Promise.all(Array.from({ length: 24 }, () => erin.createRoom()));
  const invite = (roomId: string, userId: string) =>
    erin.request('POST', `${erin.room(roomId)}/invite`, { user_id: userId });
  isLimit(await passed((i) => invite(rooms[i]!, frank.userId), 24), 4);
  const one = rooms.at(-1)!;
  isLimit(await passed((i) => invite(one, `@nobody${i}:test.example`)), 8);
});

test('delayed events are changed so often by an address', async () => {
  const anybody = new TestClient(server.url);
  const path = '/_matrix/client/unstable/org.matrix.msc4140/delayed_events/unknown/cancel';
  const outcomes = new Set<string>();
  for (let i = 0; i < 12; i++) {
    // oxlint-disable-next-line no-await-in-loop
    outcomes.add(await anybody.refused('POST', path));
  }
  assert.deepEqual([...outcomes], ['404 M_NOT_FOUND', limited]);
});
