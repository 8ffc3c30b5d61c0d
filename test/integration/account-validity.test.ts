import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer(`
account_validity: { enabled: true, period: 1d }`);
});
after(() => server.close());

const v3 = '/_matrix/client/v3';
const path = '/_synapse/admin/v1/account_validity/validity';

test('an expired account can do nothing but log out, until it is renewed', async () => {
  const admin = await registerAdmin(server.url);
  const alice = await TestClient.register(server.url, 'alice');
  await alice.ok('GET', `${v3}/account/whoami`);
  const set = (body: object) => admin.ok('POST', path, { user_id: alice.userId, ...body });
  assert.deepEqual(await set({ expiration_ts: 1 }), { expiration_ts: 1 });
  const expired = '403 ORG_MATRIX_EXPIRED_ACCOUNT';
  assert.equal(await alice.refused('GET', `${v3}/account/whoami`), expired);
  assert.equal(await alice.refused('GET', `${v3}/sync`), expired);
  const mail = '/_matrix/client/unstable/account_validity/send_mail';
  assert.equal(await alice.refused('POST', mail), '403 M_FORBIDDEN', 'there are no mails here');
  const { expiration_ts: until } = await set({});
  assert.ok(until > Date.now());
  await alice.ok('GET', `${v3}/account/whoami`);
  await set({ expiration_ts: 1 });
  await alice.ok('POST', `${v3}/logout`, {});
});

test('validity is for admins to set; wrong links say so', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const body = { user_id: alice.userId };
  assert.equal(await alice.refused('POST', path, body), '403 M_FORBIDDEN');
  const page = await fetch(`${server.url}${v3}/account_validity/renew?token=none`);
  assert.equal(page.status, 404);
  assert.equal(page.headers.get('x-frame-options'), 'DENY');
  assert.match(await page.text(), /not valid/);
});
