import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let admin: TestClient;
let alice: TestClient;
let bob: TestClient;

before(async () => {
  server = await startTestServer(`
rc_reports: { per_second: 0.01, burst_count: 5 }`);
  [admin, alice, bob] = await Promise.all([
    registerAdmin(server.url),
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'bob'),
  ]);
});
after(() => server.close());

const v3 = '/_matrix/client/v3';
const adminPath = '/_synapse/admin/v1';

test('an event is reported by who sees it, and shown to admins', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat', name: 'Loud room' });
  const eventId = await alice.send(roomId, 'rude');
  const path = `${bob.room(roomId)}/report/${encodeURIComponent(eventId)}`;
  assert.equal(await bob.refused('POST', path, { reason: 'rude' }), '404 M_NOT_FOUND');
  await bob.join(roomId);
  assert.equal(await bob.refused('POST', path, { reason: 5 }), '400 M_BAD_JSON');
  assert.equal(
    await bob.refused('POST', `${bob.room(roomId)}/report/%24unknown`, {}),
    '404 M_NOT_FOUND',
  );
  await bob.ok('POST', path, { reason: 'rude', score: -100 });
  await alice.ok('POST', path, {});
  const listed = await admin.ok('GET', `${adminPath}/event_reports?room_id=${roomId}`);
  assert.equal(listed['total'], 2);
  const [second, first] = listed['event_reports'] as Json[];
  const { id, received_ts: ts, ...report } = first!;
  assert.ok(ts > 0);
  assert.deepEqual(report, {
    user_id: bob.userId,
    reason: 'rude',
    event_id: eventId,
    room_id: roomId,
    sender: alice.userId,
    score: -100,
    name: 'Loud room',
    canonical_alias: null,
  });
  assert.equal(second!['reason'], null);
  const one = await admin.ok('GET', `${adminPath}/event_reports/${id}`);
  assert.equal(one['event_json']['content']['body'], 'rude');
  assert.equal(one['event_json']['room_id'], roomId);

  const pages = [];
  for (const from of [0, 1]) {
    const query = `?room_id=${roomId}&dir=f&limit=1&from=${from}`;
    // oxlint-disable-next-line no-await-in-loop
    pages.push(await admin.ok('GET', `${adminPath}/event_reports${query}`));
  }
  assert.deepEqual(
    pages.map((page) => [page['event_reports'][0]['id'], page['next_token']]),
    [
      [id, 1],
      [second!['id'], undefined],
    ],
  );
  const ofAlice = await admin.ok('GET', `${adminPath}/event_reports?user_id=${alice.userId}`);
  assert.equal(ofAlice['total'], 1);
  const against = await admin.ok(
    'GET',
    `${adminPath}/event_reports?event_sender_user_id=${bob.userId}`,
  );
  assert.equal(against['total'], 0);

  await admin.ok('DELETE', `${adminPath}/event_reports/${id}`);
  assert.equal(await admin.refused('GET', `${adminPath}/event_reports/${id}`), '404 M_NOT_FOUND');
  assert.equal(
    await admin.refused('DELETE', `${adminPath}/event_reports/${id}`),
    '404 M_NOT_FOUND',
  );
  assert.equal(await admin.refused('GET', `${adminPath}/event_reports/x`), '400 M_INVALID_PARAM');
  assert.equal(await bob.refused('GET', `${adminPath}/event_reports`), '403 M_FORBIDDEN');
});

test('rooms and users are reported, also by those who have nothing to do with them', async () => {
  const carol = await TestClient.register(server.url, 'carol');
  const roomId = await alice.createRoom({ preset: 'private_chat' });
  await carol.ok('POST', `${carol.room(roomId)}/report`, { reason: 'bad\0room' });
  assert.equal(
    await carol.refused('POST', `${v3}/rooms/!no:test.example/report`, { reason: '' }),
    '404 M_NOT_FOUND',
  );
  assert.equal(
    await carol.refused('POST', `${carol.room(roomId)}/report`, {}),
    '400 M_MISSING_PARAM',
  );
  const rooms = await admin.ok('GET', `${adminPath}/room_reports?user_id=${carol.userId}`);
  assert.equal(rooms['total'], 1);
  assert.equal(rooms['room_reports'][0]['room_id'], roomId);
  assert.equal(rooms['room_reports'][0]['reason'], 'badroom');

  await carol.ok('POST', `${v3}/users/${alice.userId}/report`, { reason: 'spam' });
  await carol.ok('POST', `${v3}/users/@nobody:test.example/report`, { reason: 'spam' });
  const users = await admin.ok('GET', `${adminPath}/user_reports?target_user_id=${alice.userId}`);
  assert.equal(users['total'], 1);
  const [report] = users['user_reports'] as Json[];
  assert.equal(report!['target_user_id'], alice.userId);
  assert.equal(report!['user_id'], carol.userId);
  const ofCarol = `${adminPath}/user_reports?user_id=${carol.userId}`;
  assert.equal((await admin.ok('GET', ofCarol))['total'], 1);
  await admin.ok('DELETE', `${adminPath}/user_reports/${report!['id']}`);
  assert.equal((await admin.ok('GET', ofCarol))['total'], 0);
});

test('reports are limited', async () => {
  const dave = await TestClient.register(server.url, 'dave');
  const path = `${v3}/users/${alice.userId}/report`;
  const answers = await Promise.all(
    Array.from({ length: 12 }, () => dave.request('POST', path, { reason: '' })),
  );
  const statuses = new Set(answers.map(({ status }) => status));
  assert.deepEqual(statuses, new Set([200, 429]));
});
