import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let folder: string;
let captchas: Server;
/** What was asked of the captcha's maker. */
const checked: URLSearchParams[] = [];
/** Answers about captchas wait for it. */
let held: Promise<void> = Promise.resolve();
let server: TestServer;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lattice-terms-'));
  await mkdir(join(folder, 'en'));
  await writeFile(join(folder, 'en', '1.0.html'), 'Terms {{ version }} {{ public_version }}');
  await writeFile(join(folder, 'en', 'success.html'), 'Thank you');
  captchas = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk: Buffer) => void (body += String(chunk)));
    req.on('end', () => {
      const form = new URLSearchParams(body);
      checked.push(form);
      const answer = JSON.stringify({ success: form.get('response') === 'solved' });
      void held.then(() => res.end(answer));
    });
  });
  captchas.listen(0, '127.0.0.1');
  await once(captchas, 'listening');
  const { port } = captchas.address() as AddressInfo;
  server = await startTestServer(`
public_baseurl: https://matrix.test.example
ip_range_whitelist: ['127.0.0.1/32']
enable_registration_captcha: true
recaptcha_public_key: the public key
recaptcha_private_key: the private key
recaptcha_siteverify_api: http://127.0.0.1:${port}/check
user_consent:
  template_dir: ${folder}
  version: '1.0'
  require_at_registration: true
  policy_name: Our terms`);
});
after(async () => {
  await server.close();
  captchas.close();
  await rm(folder, { recursive: true, force: true });
});

const path = '/_matrix/client/v3/register';

const page = (stage: string, session: string, form?: Record<string, string>) =>
  fetch(`${server.url}/_matrix/client/v3/auth/${stage}/fallback/web?session=${session}`, {
    method: form ? 'POST' : 'GET',
    ...(form ? { body: new URLSearchParams(form) } : {}),
  });

async function begin(client: TestClient): Promise<{ session: string; body: Json }> {
  const { status, body } = await client.request('POST', path, {
    username: uniqueName('new'),
    password: 'a password',
  });
  assert.equal(status, 401);
  return { session: body['session'] as string, body };
}

test('captcha and terms in the requests of a client', async () => {
  const client = new TestClient(server.url);
  const { session, body } = await begin(client);
  assert.deepEqual(body['flows'], [{ stages: ['m.login.recaptcha', 'm.login.terms'] }]);
  assert.deepEqual(body['params'], {
    'm.login.recaptcha': { public_key: 'the public key' },
    'm.login.terms': {
      policies: {
        privacy_policy: {
          version: '1.0',
          en: { name: 'Our terms', url: 'https://matrix.test.example/_matrix/consent?v=1.0' },
        },
      },
    },
  });
  const attempt = (auth: Json) => client.request('POST', path, { auth: { session, ...auth } });
  const early = await attempt({ type: 'm.login.terms' });
  assert.equal(early.status, 401);
  assert.deepEqual(early.body['completed'], []);
  const none = await attempt({ type: 'm.login.recaptcha' });
  assert.equal(none.body['errcode'], 'M_CAPTCHA_NEEDED');
  const wrong = await attempt({ type: 'm.login.recaptcha', response: 'guessed' });
  assert.equal(wrong.body['errcode'], 'M_CAPTCHA_INVALID');
  const solved = await attempt({ type: 'm.login.recaptcha', response: 'solved' });
  assert.deepEqual(solved.body['completed'], ['m.login.recaptcha']);
  assert.equal(checked.at(-1)!.get('secret'), 'the private key');
  assert.ok(checked.at(-1)!.get('remoteip'));
  const made = await attempt({ type: 'm.login.terms' });
  assert.equal(made.status, 200);
  const terms = await fetch(`${server.url}/_matrix/consent?v=1.0`);
  assert.equal(await terms.text(), 'Terms 1.0 true');
});

test('the same on pages, for a client that does not know the stages', async () => {
  const client = new TestClient(server.url);
  const { session } = await begin(client);
  const captcha = await page('m.login.recaptcha', session);
  assert.equal(captcha.status, 200);
  assert.match(captcha.headers.get('content-security-policy')!, /frame-ancestors 'none'/);
  const html = await captcha.text();
  assert.ok(html.includes('data-sitekey="the public key"') && html.includes(session));
  const failed = await page('m.login.recaptcha', session, {
    session,
    'g-recaptcha-response': 'guessed',
  });
  assert.equal(failed.status, 401);
  assert.match(await failed.text(), /captcha was not solved/);
  const form = { session, 'g-recaptcha-response': 'solved' };
  assert.match(await (await page('m.login.recaptcha', session, form)).text(), /onAuthDone/);
  const terms = await (await page('m.login.terms', session)).text();
  assert.ok(terms.includes('href="https://matrix.test.example/_matrix/consent?v=1.0"'));
  assert.match(await (await page('m.login.terms', session, { session })).text(), /onAuthDone/);
  // The client only names the session.
  const made = await client.ok('POST', path, { auth: { session } });
  assert.ok(made['access_token']);
});

test('what a client says while a page is checked is not lost', async () => {
  const client = new TestClient(server.url);
  const wish = { username: uniqueName('new') };
  const { body } = await client.request('POST', path, wish);
  const session = body['session'] as string;
  const { promise, resolve } = Promise.withResolvers<void>();
  held = promise;
  const count = checked.length;
  const form = { session, 'g-recaptcha-response': 'solved' };
  const submitted = page('m.login.recaptcha', session, form);
  await eventually(async () => assert.ok(checked.length > count));
  const more = { ...wish, password: 'a password', auth: { session } };
  assert.equal((await client.request('POST', path, more)).status, 401);
  resolve();
  assert.equal((await submitted).status, 200);
  await page('m.login.terms', session, { session });
  await client.ok('POST', path, { auth: { session } });
  await client.ok('POST', '/_matrix/client/v3/login', {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: wish.username },
    password: 'a password',
  });
});

test('unknown stages and sessions, and a wrong token', async () => {
  const { session } = await begin(new TestClient(server.url));
  assert.equal((await page('m.login.unknown', session)).status, 404);
  const form = { session: 'unknown', 'g-recaptcha-response': 'solved' };
  assert.equal((await page('m.login.recaptcha', 'unknown', form)).status, 400);
  const token = await page('m.login.registration_token', session, { session, token: '<b>' });
  assert.equal(token.status, 401);
  assert.match(await token.text(), /Invalid registration token/);
});

test('the log-in page is there', async () => {
  const answer = await fetch(`${server.url}/_matrix/static/client/login/`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type')!, /text\/html/);
  assert.match(await answer.text(), /window\.onLogin/);
});
