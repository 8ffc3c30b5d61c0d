import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, uniqueName, type Answer, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let admin: TestClient;
before(async () => {
  server = await startTestServer('registration_requires_token: true');
  admin = await registerAdmin(server.url);
});
after(() => server.close());

const tokens = '/_synapse/admin/v1/registration_tokens';
const tokenOf = (name: string) => admin.ok('GET', `${tokens}/${name}`);
const anybody = () => new TestClient(server.url);
const register = (body: Json): Promise<Answer> =>
  anybody().request('POST', '/_matrix/client/v3/register', body);

/** Stages of the only flow. */
async function begin(username: string): Promise<{ session: string; stages: string[] }> {
  const { status, body } = await register({ username, password: 'x' });
  assert.equal(status, 401);
  return { session: body['session'], stages: body['flows'][0].stages };
}

async function giveToken(username: string, session: string, token: string): Promise<Answer> {
  const auth = { type: 'm.login.registration_token', session, token };
  return register({ username, password: 'x', auth });
}

/** Goes through all stages; the last answer. */
async function registerBy(token: string): Promise<Answer> {
  const username = uniqueName('by-token');
  const { session, stages } = await begin(username);
  assert.equal(stages[0], 'm.login.registration_token');
  let answer = await giveToken(username, session, token);
  for (const type of stages.slice(1)) {
    // oxlint-disable-next-line no-await-in-loop
    answer = await register({ username, password: 'x', auth: { type, session } });
  }
  return answer;
}

test('a token is good for as many registrations as an admin allows', async () => {
  const name = uniqueName('twice');
  await admin.ok('POST', `${tokens}/new`, { token: name, uses_allowed: 2 });
  assert.equal((await registerBy(name)).status, 200);
  const { completed, pending } = await tokenOf(name);
  assert.deepEqual([completed, pending], [1, 0]);
  assert.equal((await registerBy(name)).status, 200);
  assert.equal((await registerBy(name)).status, 401);
  assert.equal((await tokenOf(name))['completed'], 2);
  await admin.ok('PUT', `${tokens}/${name}`, { uses_allowed: 3 });
  assert.equal((await registerBy(name)).status, 200);
});

test('a token that is over or gone lets nobody in', async () => {
  const name = uniqueName('gone');
  await admin.ok('POST', `${tokens}/new`, { token: name, uses_allowed: 0 });
  assert.equal((await registerBy(name)).status, 401);
  await admin.ok('PUT', `${tokens}/${name}`, { uses_allowed: null });
  assert.equal((await registerBy(name)).status, 200);
  await admin.ok('DELETE', `${tokens}/${name}`);
  assert.equal((await registerBy(name)).status, 401);
});
