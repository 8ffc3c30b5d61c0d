import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lattice-terms-'));
  await mkdir(join(folder, 'en'));
  const terms =
    '{% if has_consented %}Thank you, {{ user }}{% elif public_version %}Terms {{ version }}' +
    '{% else %}<form method="post"><input name="v" value="{{ version }}">' +
    '<input name="u" value="{{ user }}"><input name="h" value="{{ userhmac }}"></form>{% endif %}';
  await writeFile(join(folder, 'en', '1.0.html'), terms);
  await writeFile(join(folder, 'en', 'success.html'), 'Noted');
  server = await startTestServer(`
public_baseurl: https://matrix.test.example
form_secret: a secret
server_notices: {system_mxid_localpart: notices, auto_join: true}
user_consent:
  template_dir: ${folder}
  version: '1.0'
  block_events_error: 'Accept the terms first: %(consent_uri)s'
  server_notice_content: {msgtype: m.text, body: 'Please read %(consent_uri)s'}
`);
});
after(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

const get = (link: URL) => fetch(server.url + link.pathname + link.search);

/** Syncs until the notice about the terms is there; gives its room and text. */
async function noticeOf(client: TestClient): Promise<{ roomId: string; body: string }> {
  let answer = await client.sync();
  for (;;) {
    const joined = ((answer['rooms'] as Json)?.['join'] ?? {}) as Json;
    for (const [roomId, room] of Object.entries(joined)) {
      const events = (room as Json)['timeline'].events as Json[];
      const found = events.find((event) => event['type'] === 'm.room.message');
      if (found) return { roomId, body: found['content'].body as string };
    }
    // oxlint-disable-next-line no-await-in-loop
    answer = await client.sync({ since: answer['next_batch'] as string, timeout: '10000' });
  }
}

test('who has not accepted the terms can read and is told where to accept them', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const refused = await alice.request('POST', '/_matrix/client/v3/createRoom', {});
  assert.equal(refused.status, 403);
  assert.equal(refused.body['errcode'], 'M_CONSENT_NOT_GIVEN');
  const link = new URL(refused.body['consent_uri'] as string);
  assert.equal(refused.body['error'], `Accept the terms first: ${link.href}`);
  assert.equal(link.origin + link.pathname, 'https://matrix.test.example/_matrix/consent');

  const { roomId, body } = await noticeOf(alice);
  assert.equal(body, `Please read ${link.href}`);
  await alice.ok('POST', `${alice.room(roomId)}/leave`, {});

  const page = await get(link);
  assert.match(await page.text(), /<form method="post">/);
  assert.equal(page.headers.get('x-frame-options'), 'DENY', 'nobody clicks there unawares');
  assert.equal(page.headers.get('cache-control'), 'no-store');
  const form = new URLSearchParams(link.search);
  form.set('v', '1.0');
  const posted = await fetch(server.url + link.pathname, { method: 'POST', body: form });
  assert.equal(await posted.text(), 'Noted');
  assert.match(await (await get(link)).text(), /^Thank you, alice/);
  await alice.createRoom();
});

test('nobody accepts for others, and versions are not paths', async () => {
  const bob = await TestClient.register(server.url, 'bob');
  const refused = await bob.request('POST', '/_matrix/client/v3/createRoom', {});
  const link = new URL(refused.body['consent_uri'] as string);
  link.searchParams.set('u', 'somebody');
  assert.equal((await get(link)).status, 403);
  const anybody = new URL('https://x/_matrix/consent');
  assert.equal(await (await get(anybody)).text(), 'Terms 1.0');
  anybody.searchParams.set('v', '../../etc/passwd');
  assert.equal((await get(anybody)).status, 400);
  anybody.searchParams.set('v', '9.9');
  assert.equal((await get(anybody)).status, 404);
});
