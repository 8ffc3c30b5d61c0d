import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { startOidcProvider, type TestOidcProvider } from '../harness/oidc-provider.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { publicUrl, SsoBrowser, type Page } from '../harness/sso-browser.ts';

// On a worker set every request of the browser goes to another process.

const client = '/_matrix/client/v3';
const details = '/_synapse/client/pick_username/account_details';
const check = '/_synapse/client/pick_username/check';
const consent = '/_synapse/client/new_user_consent';
const register = '/_synapse/client/sso_register';

let oidc: TestOidcProvider;
let server: TestServer;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lattice-sso-'));
  await mkdir(join(folder, 'en'));
  await writeFile(join(folder, 'en', '1.0.html'), 'Terms {{ version }}');
  await writeFile(join(folder, 'en', 'success.html'), 'Thank you');
  await writeFile(
    join(folder, 'sso_error.html'),
    '{% extends "_base.html" %}{% block body %}Own page: {{ error }}{% endblock %}',
  );
  oidc = await startOidcProvider('matrix');
  const provider = (id: string, mapping: string) => `
  - idp_id: ${id}
    issuer: ${oidc.url}
    client_id: matrix
    client_auth_method: none
    discover: false
    skip_verification: true
    authorization_endpoint: ${oidc.url}/authorise
    token_endpoint: ${oidc.url}/token
    jwks_uri: ${oidc.url}/keys
    user_mapping_provider:
      config: {display_name_template: '{{ user.name }}', ${mapping}}`;
  server = await startTestServer(`
public_baseurl: ${publicUrl}
templates: {custom_template_directory: ${folder}}
sso: {client_whitelist: [https://app.example/]}
oidc_providers:
${provider('asked', "email_template: '{{ user.email }}'")}
${provider('confirmed', "localpart_template: '{{ user.login }}', confirm_localpart: true")}
${provider('named', "localpart_template: '{{ user.login }}'")}
user_consent:
  template_dir: ${folder}
  version: '1.0'
  require_at_registration: true
  block_events_error: Accept the terms`);
});
after(async () => {
  await server.close();
  oidc.close();
  await rm(folder, { recursive: true });
});

/** A browser that has come back from the provider, and the page it got. */
async function come(idp: string, user: Json): Promise<{ browser: SsoBrowser; page: Page }> {
  oidc.user = { sub: uniqueName('sub'), ...user };
  const browser = await SsoBrowser.of(server, [oidc.url]);
  const query = new URLSearchParams({ redirectUrl: 'https://app.example/' }).toString();
  return { browser, page: await browser.visit(`${client}/login/sso/redirect/${idp}?${query}`) };
}

async function logIn({ url }: Page): Promise<TestClient> {
  const user = new TestClient(server.url);
  const token = url.searchParams.get('loginToken');
  const answer = await user.ok('POST', `${client}/login`, { type: 'm.login.token', token });
  user.userId = answer['user_id'] as string;
  user.token = answer['access_token'] as string;
  return user;
}

/** Of somebody who has come before. */
async function takenName(): Promise<string> {
  const login = uniqueName('taken');
  const { browser } = await come('oidc-named', { login });
  await logIn(await browser.visit(consent, { accepted_version: '1.0' }));
  return login;
}

const isFree = async (browser: SsoBrowser, name: string) =>
  browser.visit(`${check}?username=${encodeURIComponent(name)}`);

test('a new user chooses a name and what of the profile is taken, and accepts the terms', async () => {
  const taken = await takenName();
  const { browser, page } = await come('oidc-asked', { name: 'Zoë', email: 'zoe@example.org' });
  assert.equal(page.url.pathname, details);
  assert.ok(page.text.includes('Zoë') && page.text.includes('value="zoe@example.org"'));
  const name = uniqueName('zoe');
  assert.deepEqual(JSON.parse((await isFree(browser, name)).text), { available: true });
  assert.deepEqual(JSON.parse((await isFree(browser, taken)).text), { available: false });
  const odd = await isFree(browser, 'ö');
  assert.equal(odd.status, 400);
  assert.equal((JSON.parse(odd.text) as Json)['errcode'], 'M_INVALID_USERNAME');

  const refused = await browser.visit(details, { username: taken });
  assert.equal(refused.status, 400);
  assert.match(refused.text, /User ID already taken/);
  const terms = await browser.visit(
    details,
    new URLSearchParams([
      ['username', name],
      ['use_email', 'zoe@example.org'],
      ['use_email', 'else@example.org'],
    ]),
  );
  assert.equal(terms.url.pathname, consent);
  assert.ok(terms.text.includes(`@${name}:test.example`));
  assert.ok(terms.text.includes(`href="${publicUrl}/_matrix/consent?v=1.0"`));
  const early = await browser.visit(register);
  assert.equal(early.url.pathname, consent, 'the terms are not accepted');
  const older = await browser.visit(consent, { accepted_version: '0.9' });
  assert.equal(older.url.pathname, consent);
  assert.equal((await browser.visit(consent, {})).status, 400);
  const done = await browser.visit(consent, { accepted_version: '1.0' });
  const user = await logIn(done);
  assert.equal(user.userId, `@${name}:test.example`);
  const profile = await user.ok('GET', `${client}/profile/${encodeURIComponent(user.userId)}`);
  assert.equal(profile['displayname'], name, 'the name was not wanted');
  const { threepids } = await user.ok('GET', `${client}/account/3pid`);
  assert.deepEqual(
    (threepids as Json[]).map(({ address }) => address as string),
    ['zoe@example.org'],
  );
  await user.createRoom();
  const over = await browser.visit(register);
  assert.equal(over.status, 400, 'the session is over');
  assert.match(over.text, /Own page: bad_session/);
});

test('a name by the provider can be confirmed or changed', async () => {
  const login = uniqueName('conf');
  const { browser, page } = await come('oidc-confirmed', { login, name: 'Con' });
  assert.equal(page.url.pathname, details);
  assert.ok(page.text.includes(`value="${login}"`));
  await browser.visit(details, { username: `${login}x`, use_display_name: 'true' });
  const user = await logIn(await browser.visit(consent, { accepted_version: '1.0' }));
  assert.equal(user.userId, `@${login}x:test.example`);
  const profile = await user.ok('GET', `${client}/profile/${encodeURIComponent(user.userId)}`);
  assert.equal(profile['displayname'], 'Con');
});

test('with a name by the provider the terms are all that is asked', async () => {
  const login = uniqueName('named');
  const { browser, page } = await come('oidc-named', { login });
  assert.equal(page.url.pathname, consent);
  const user = await logIn(await browser.visit(consent, { accepted_version: '1.0' }));
  assert.equal(user.userId, `@${login}:test.example`);
});

test('nobody goes on with the session of another browser', async () => {
  const { browser, page } = await come('oidc-asked', {});
  assert.equal(page.status, 200);
  const stranger = browser.stranger();
  for (const path of [details, consent, register]) {
    // oxlint-disable-next-line no-await-in-loop
    const answer = await stranger.visit(path);
    assert.equal(answer.status, 400);
    assert.match(answer.text, /Own page: bad_session/);
  }
  assert.equal((await isFree(stranger, 'x')).status, 400);
  assert.equal((await stranger.visit(details, { username: uniqueName('x') })).status, 400);
});
