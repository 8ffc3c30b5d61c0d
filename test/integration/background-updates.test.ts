import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let admin: TestClient;
before(async () => {
  server = await startTestServer();
  admin = await registerAdmin(server.url);
});
after(() => server.close());

const path = '/_synapse/admin/v1/background_updates';

test('the user directory is made anew, unless updates are switched off', async () => {
  const name = uniqueName('findme');
  const user = await TestClient.register(server.url, name);
  const find = () =>
    admin.ok('POST', '/_matrix/client/v3/user_directory/search', { search_term: name });
  await user.createRoom({ preset: 'public_chat' });
  assert.deepEqual(await admin.ok('GET', `${path}/enabled`), { enabled: true });
  const idle = { enabled: true, current_updates: {} };
  assert.deepEqual(await admin.ok('GET', `${path}/status`), idle);
  assert.deepEqual(await admin.ok('POST', `${path}/enabled`, { enabled: false }), {
    enabled: false,
  });
  const start = { job_name: 'regenerate_directory' };
  await admin.ok('POST', `${path}/start_job`, start);
  assert.equal(await admin.refused('POST', `${path}/start_job`, start), '400 M_UNKNOWN');
  const tasks = async () => {
    const query = 'action_name=regenerate_directory';
    const { scheduled_tasks: all } = await admin.ok(
      'GET',
      `/_synapse/admin/v1/scheduled_tasks?${query}`,
    );
    return (all as Json[]).map((task) => task['status'] as string);
  };
  assert.deepEqual(await tasks(), ['scheduled']);
  assert.deepEqual(await admin.ok('POST', `${path}/enabled`, { enabled: true }), {
    enabled: true,
  });
  await eventually(async () => assert.deepEqual(await tasks(), ['complete']));
  await eventually(async () => {
    const { results } = await find();
    assert.deepEqual(
      (results as Json[]).map((found) => found['user_id']),
      [user.userId],
    );
  });
  assert.deepEqual(await admin.ok('GET', `${path}/status`), idle);
});

test('what makes no sense is refused', async () => {
  assert.equal(await admin.refused('POST', `${path}/start_job`, {}), '400 M_MISSING_PARAM');
  const unknown = { job_name: 'populate_stats_process_rooms' };
  assert.equal(await admin.refused('POST', `${path}/start_job`, unknown), '400 M_UNKNOWN');
  assert.equal(await admin.refused('POST', `${path}/enabled`, { enabled: 'no' }), '400 M_BAD_JSON');
});
