import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startCasServer, type TestCasServer } from '../harness/cas-server.ts';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startOidcProvider, type TestOidcProvider } from '../harness/oidc-provider.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { linkOn, publicUrl, SsoBrowser, type Page } from '../harness/sso-browser.ts';

// On a worker set every request of the browser goes to another process.

const client = '/_matrix/client/v3';
const appUrl = 'https://app.example/?a=1';
const clientId = 'matrix';

let oidc: TestOidcProvider;
let cas: TestCasServer;
let server: TestServer;

before(async () => {
  oidc = await startOidcProvider(clientId);
  cas = await startCasServer();
  const common = `issuer: ${oidc.url}
    client_id: ${clientId}
    client_secret: 'a secret: +&'
    skip_verification: true`;
  server = await startTestServer(`
public_baseurl: ${publicUrl}/
ip_range_whitelist: [127.0.0.1]
sso:
  client_whitelist: [https://app.example/]
  update_profile_information: true
oidc_providers:
  - idp_id: main
    idp_name: Main
    idp_brand: github
    idp_icon: mxc://test.example/icon
    ${common}
    scopes: [openid, profile]
    backchannel_logout_enabled: true
    additional_authorization_parameters: {acr_values: 2fa}
    passthrough_authorization_parameters: [login_hint]
    user_mapping_provider:
      config:
        localpart_template: '{{ user.preferred_username }}'
        display_name_template: '{{ user.name }}'
        email_template: '{{ user.email }}'
        extra_attributes: {birthday: '{{ user.birthdate }}'}
  - idp_id: claims
    idp_name: By the endpoint for claims
    ${common}
    client_auth_method: client_secret_post
    user_profile_method: userinfo_endpoint
    additional_authorization_parameters: {response_mode: form_post}
    pkce_method: never
    allow_existing_users: true
    enable_registration: false
    user_mapping_provider: {config: {localpart_template: '{{ user.email | localpart_from_email }}'}}
    attribute_requirements: [{attribute: groups, one_of: [staff, admins]}, {attribute: email}]
cas_config:
  server_url: ${cas.url}/cas/
  protocol_version: 3
  displayname_attribute: cn
  allow_numeric_ids: true
  required_attributes: {group: staff}
`);
});
after(async () => {
  await server.close();
  oidc.close();
  cas.close();
});

const browserOf = () => SsoBrowser.of(server, [oidc.url, cas.url]);
const begin = (idp: string, redirectUrl = appUrl) =>
  `${client}/login/sso/redirect/${idp}?${new URLSearchParams({ redirectUrl }).toString()}`;

/** Logs in with the token in an address. */
async function logIn(page: Page): Promise<{ user: TestClient; answer: Json }> {
  assert.equal(page.status, 0, page.text);
  const token = page.url.searchParams.get('loginToken');
  const user = new TestClient(server.url);
  const answer = await user.ok('POST', `${client}/login`, { type: 'm.login.token', token });
  user.userId = answer['user_id'] as string;
  user.token = answer['access_token'] as string;
  user.deviceId = answer['device_id'] as string;
  return { user, answer };
}

/** Somebody at the provider. */
function person(prefix = 'person'): Json {
  const name = uniqueName(prefix);
  return { sub: `sub of ${name}`, preferred_username: name, name: `Name ${name}` };
}

async function signIn(user: Json): Promise<TestClient> {
  oidc.user = user;
  return (await logIn(await (await browserOf()).visit(begin('oidc-main')))).user;
}

const errorOn = ({ text }: Page) => /<code>([^<]*)<\/code>/.exec(text)?.[1];

test('clients are told of the providers', async () => {
  const { flows } = await new TestClient(server.url).ok('GET', `${client}/login`);
  const sso = (flows as Json[]).find(({ type }) => type === 'm.login.sso');
  assert.deepEqual(sso!['identity_providers'], [
    { id: 'oidc-main', name: 'Main', icon: 'mxc://test.example/icon', brand: 'github' },
    { id: 'oidc-claims', name: 'By the endpoint for claims' },
    { id: 'cas', name: 'CAS' },
  ]);
  const types = (flows as Json[]).map(({ type }) => type as string);
  assert.ok(types.includes('m.login.token') && types.includes('m.login.cas'));
});

test('somebody new gets an account, and the same one at the next log-in', async () => {
  const somebody: Json = { ...person('Alice'), birthdate: '2000-01-01', sid: 'x' };
  oidc.user = { ...somebody, email: `${somebody['preferred_username']}@example.org` };
  const browser = await browserOf();
  const page = await browser.visit(`${begin('oidc-main')}&login_hint=me`);
  assert.equal(page.url.origin, 'https://app.example');
  assert.equal(page.url.searchParams.get('a'), '1');
  const asked = oidc.authorised.at(-1)!;
  assert.equal(asked.get('redirect_uri'), `${publicUrl}/_synapse/client/oidc/callback`);
  assert.deepEqual(
    ['scope', 'acr_values', 'login_hint', 'fixed', 'code_challenge_method', 'response_type'].map(
      (name) => asked.get(name),
    ),
    ['openid profile', '2fa', 'me', '1', 'S256', 'code'],
  );
  const [, pair] = oidc.exchanged.at(-1)!.authorization.split(' ');
  assert.equal(Buffer.from(pair!, 'base64').toString(), 'matrix:a+secret%3A+%2B%26');

  const { user, answer } = await logIn(page);
  const localpart = (somebody['preferred_username'] as string).toLowerCase();
  assert.equal(user.userId, `@${localpart}:test.example`);
  assert.equal(answer['birthday'], '2000-01-01');
  const profile = `${client}/profile/${encodeURIComponent(user.userId)}`;
  assert.equal((await user.ok('GET', profile))['displayname'], somebody['name']);
  const { threepids } = await user.ok('GET', `${client}/account/3pid`);
  assert.equal((threepids as Json[])[0]!['address'], `${localpart}@example.org`);
  const again = page.url.searchParams.get('loginToken');
  const body = { type: 'm.login.token', token: again };
  assert.equal(await user.refused('POST', `${client}/login`, body), '403 M_FORBIDDEN');

  oidc.user = { ...somebody, name: 'Another name', preferred_username: uniqueName('other') };
  const { user: second } = await logIn(await browser.visit(begin('oidc-main')));
  assert.equal(second.userId, user.userId);
  await eventually(async () =>
    assert.equal((await user.ok('GET', profile))['displayname'], 'Another name'),
  );
});

test('the picture at the provider becomes the user’s', async () => {
  const somebody: Json = { ...person(), picture: `${oidc.url}/picture` };
  const user = await signIn(somebody);
  const avatarUrl = `${client}/profile/${encodeURIComponent(user.userId)}/avatar_url`;
  const avatarOf = async () => (await user.ok('GET', avatarUrl))['avatar_url'] as string;
  const first = await eventually(async () => {
    const url = await avatarOf();
    assert.match(url, /^mxc:\/\/test\.example\//);
    return url;
  });
  const media = `/_matrix/client/v1/media/download/${first.slice('mxc://'.length)}`;
  const headers = { Authorization: `Bearer ${user.token}` };
  const content = await fetch(server.url + media, { headers });
  assert.equal(content.headers.get('content-type'), 'image/png');
  assert.equal(await content.text(), 'a picture');

  // The same one, and what is none, change nothing: the one after them is the next.
  await signIn(somebody);
  oidc.picture = { type: 'text/html', bytes: Buffer.from('no picture') };
  await signIn(somebody);
  await user.ok('PUT', avatarUrl, { avatar_url: first });
  oidc.picture = { type: 'image/gif', bytes: Buffer.from('another picture') };
  await signIn(somebody);
  const next = await eventually(async () => {
    const url = await avatarOf();
    assert.notEqual(url, first);
    return url;
  });
  const other = `/_matrix/client/v1/media/download/${next.slice('mxc://'.length)}`;
  assert.equal(await (await fetch(server.url + other, { headers })).text(), 'another picture');
});

test('who has a taken name gets another one, and odd names become allowed ones', async () => {
  const first = await signIn(person());
  const name = first.userId.slice(1).split(':')[0]!;
  const second = await signIn({ ...person(), preferred_username: name });
  assert.equal(second.userId, `@${name}1:test.example`);
  const odd = await signIn({ ...person(), preferred_username: `_${name} ö` });
  assert.equal(odd.userId, `@=5f${name}=20=c3=b6:test.example`);
});

test('one account for one who comes by two tabs at once', async () => {
  oidc.user = person();
  const browser = await browserOf();
  await browser.visit(begin('oidc-main'), null, { follows: false });
  const pages = await Promise.all([1, 2].map(async () => browser.visit(begin('oidc-main'))));
  const [one, two] = await Promise.all(pages.map(logIn));
  assert.equal(one!.user.userId, two!.user.userId);
});

test('a client that is not trusted gets the token after a question', async () => {
  oidc.user = person('<b>');
  oidc.user['preferred_username'] = uniqueName('asked');
  const browser = await browserOf();
  const page = await browser.visit(begin('oidc-main', 'https://app.example.evil/x?y=1#z'));
  assert.equal(page.status, 200);
  assert.equal(page.headers['x-frame-options'], 'DENY');
  assert.match(page.text, /<strong>app\.example\.evil<\/strong>/);
  assert.match(page.text, /Your account is made/);
  assert.match(page.text, /Name &lt;b&gt;/);
  const link = new URL(linkOn(page));
  assert.equal(link.origin + link.pathname + link.hash, 'https://app.example.evil/x#z');
  await logIn({ ...page, status: 0, url: link });
  const bad = begin('oidc-main', 'javascript:alert(1)');
  assert.equal((await browser.visit(bad)).status, 400);
  assert.equal((await browser.visit(`${client}/login/sso/redirect`)).status, 400);
});

test('a browser that comes by another host is sent to the right one once', async () => {
  const path = begin('oidc-main');
  const sent = await fetch(server.url + path, { redirect: 'manual' });
  assert.equal(sent.status, 302);
  const location = sent.headers.get('location')!;
  assert.equal(location, `${publicUrl}${path}&via=other_host`);
  const back = await fetch(location.replace(publicUrl, server.url), { redirect: 'manual' });
  assert.ok(back.headers.get('location')!.startsWith(oidc.url));
});

test('a page asks for the provider', async () => {
  oidc.user = person();
  const browser = await browserOf();
  const query = new URLSearchParams({ redirectUrl: appUrl }).toString();
  const page = await browser.visit(`${client}/login/sso/redirect?${query}`);
  assert.equal(page.url.pathname, '/_synapse/client/pick_idp');
  assert.match(page.text, /value="oidc-claims"/);
  assert.match(page.text, /src="\/_matrix\/media\/v3\/thumbnail\/test\.example\/icon\?/);
  await logIn(await browser.visit(`/_synapse/client/pick_idp?${query}&idp=oidc-main`));
  const unknown = await browser.visit(`/_synapse/client/pick_idp?${query}&idp=unknown`);
  assert.equal(unknown.status, 404);
  assert.equal((await browser.visit(begin('oidc-unknown'))).status, 404);
});

test('a session is good once, and for the browser that has begun it', async () => {
  oidc.user = person();
  const browser = await browserOf();
  const sent = await browser.visit(begin('oidc-main'), null, { follows: false });
  const cookie = browser.cookie('sso_browser')!;
  assert.equal(cookie.sameSite, 'None');
  assert.match(String(sent.headers['set-cookie']), /HttpOnly; Secure/);
  const there = await browser.visit(sent.headers['location'] as string, null, { follows: false });
  const back = there.headers['location'] as string;

  const stranger = browser.stranger();
  assert.equal(errorOn(await stranger.visit(back)), 'missing_session');
  await stranger.visit(begin('oidc-main'), null, { follows: false });
  assert.equal(errorOn(await stranger.visit(back)), 'invalid_session');

  await logIn(await browser.visit(back));
  assert.equal(errorOn(await browser.visit(back)), 'invalid_session');
  const path = '/_synapse/client/oidc/callback';
  assert.equal(errorOn(await browser.visit(path)), 'invalid_request');
  assert.equal(errorOn(await browser.visit(`${path}?code=x&state=x`)), 'invalid_session');
  const refused = await browser.visit(`${path}?error=access_denied&error_description=<i>no</i>`);
  assert.equal(refused.status, 400);
  assert.equal(errorOn(refused), 'access_denied');
  assert.ok(refused.text.includes('&lt;i&gt;no'));
});

test('tokens that are not for this server or this request are refused', async () => {
  const spoiled: Record<string, (claims: Json, header: Json) => void> = {
    issuer: (claims) => (claims['iss'] = 'https://other.example'),
    audience: (claims) => (claims['aud'] = 'another'),
    audiences: (claims) => (claims['aud'] = [clientId, 'another']),
    party: (claims) => (claims['azp'] = 'another'),
    expiry: (claims) => (claims['exp'] = Math.floor(Date.now() / 1000) - 600),
    end: (claims) => delete claims['exp'],
    future: (claims) => (claims['iat'] = Math.floor(Date.now() / 1000) + 600),
    nonce: (claims) => (claims['nonce'] = 'another'),
    access: (claims) => (claims['at_hash'] = 'another'),
    subject: (claims) => delete claims['sub'],
    algorithm: (_claims, header) => (header['alg'] = 'none'),
    key: (_claims, header) => (header['kid'] = 'another'),
  };
  const browser = await browserOf();
  try {
    for (const [name, spoil] of Object.entries(spoiled)) {
      oidc.user = person();
      oidc.tamper = ({ claims, header }) => spoil(claims, header);
      // oxlint-disable-next-line no-await-in-loop
      const page = await browser.visit(begin('oidc-main'));
      assert.equal(errorOn(page), 'invalid_token', name);
    }
    oidc.tamper = null;
    oidc.tokenAnswer = { status: 400, body: '{"error":"invalid_client"}' };
    assert.equal(errorOn(await browser.visit(begin('oidc-main'))), 'invalid_client');
    oidc.tokenAnswer = { status: 200, body: `{"x":"${'x'.repeat(300_000)}"}` };
    const large = await browser.visit(begin('oidc-main'));
    assert.equal(errorOn(large), 'server_error');
    assert.equal(large.status, 502);
  } finally {
    oidc.tamper = null;
    oidc.tokenAnswer = null;
  }
});

test('claims by the endpoint, a form as callback, requirements and existing users', async () => {
  const existing = await TestClient.register(server.url, 'existing');
  const [localpart] = existing.userId.slice(1).split(':');
  const browser = await browserOf();
  async function come(user: Json): Promise<Page> {
    oidc.user = user;
    const { text } = await browser.visit(begin('oidc-claims'));
    const fields = JSON.parse(text) as Record<string, string>;
    return browser.visit('/_synapse/client/oidc/callback', fields, { isCrossSite: true });
  }
  const somebody = { sub: uniqueName('sub'), email: `${localpart}@example.org` };
  const unauthorised = await come({ ...somebody, groups: ['guests'] });
  assert.equal(unauthorised.status, 403);
  assert.equal(errorOn(unauthorised), 'unauthorised');
  const { user } = await logIn(await come({ ...somebody, groups: ['guests', 'staff'] }));
  assert.equal(user.userId, existing.userId);
  const { form } = oidc.exchanged.at(-1)!;
  assert.equal(form.get('client_id'), clientId);
  assert.equal(form.get('client_secret'), 'a secret: +&');
  assert.equal(form.get('code_verifier'), null);

  oidc.userinfoAs = 'jwt';
  try {
    assert.equal(
      (await logIn(await come({ ...somebody, groups: 'admins' }))).user.userId,
      user.userId,
    );
    oidc.userinfo = { sub: 'somebody else' };
    assert.equal(errorOn(await come({ ...somebody, groups: 'admins' })), 'invalid_token');
  } finally {
    oidc.userinfoAs = 'json';
    oidc.userinfo = {};
  }
  const unknown = { sub: uniqueName('sub'), email: `${uniqueName('x')}@e.org`, groups: 'staff' };
  assert.equal(errorOn(await come(unknown)), 'mapping_error');
});

test('a user confirms a request at the provider', async () => {
  const somebody = person();
  const user = await signIn(somebody);
  const other = await signIn(somebody);
  const path = `${client}/delete_devices`;
  const body = { devices: [other.deviceId] };
  const { status, body: challenge } = await user.request('POST', path, body);
  assert.equal(status, 401);
  assert.deepEqual(challenge['flows'], [{ stages: ['m.login.sso'] }]);
  const session = challenge['session'] as string;
  const stagePage = `${client}/auth/m.login.sso/fallback/web?session=${session}`;
  const browser = await browserOf();

  const byHand = { ...body, auth: { type: 'm.login.sso', session } };
  assert.equal(await user.refused('POST', path, byHand), '401 M_UNAUTHORIZED');

  oidc.user = person();
  await (await browserOf()).visit(begin('oidc-main'));
  const asked = await browser.visit(stagePage);
  assert.match(asked.text, /remove device\(s\) from your account/);
  const wrong = await browser.visit(linkOn(asked));
  assert.equal(wrong.status, 403);
  assert.ok(wrong.text.includes(user.userId));
  assert.equal((await user.request('POST', path, { ...body, auth: { session } })).status, 401);

  oidc.user = somebody;
  const done = await browser.visit(linkOn(await browser.visit(stagePage)));
  assert.match(done.text, /onAuthDone/);
  await user.ok('POST', path, { ...body, auth: { session } });
  await eventually(async () => {
    const who = await other.request('GET', `${client}/account/whoami`);
    assert.equal(who.body['errcode'], 'M_UNKNOWN_TOKEN');
  });
  const again = await browser.visit(stagePage);
  assert.match(again.text, /onAuthDone/, 'it has been done');
});

test('the provider ends a session', async () => {
  const somebody = person();
  const sid = uniqueName('sid');
  const user = await signIn({ ...somebody, sid });
  const elsewhere = await signIn({ ...somebody, sid: uniqueName('sid') });
  oidc.user = { ...somebody, sid };
  const unused = await (await browserOf()).visit(begin('oidc-main'));
  const browser = await browserOf();
  const path = '/_synapse/client/oidc/backchannel_logout';
  const logOut = async (claims: Json) => {
    const token = oidc.signed({ sub: somebody['sub'], sid, ...claims });
    return (await browser.visit(path, { logout_token: token })).status;
  };
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  assert.equal(await logOut({}), 400, 'an ID token is none');
  assert.equal(await logOut({ events, nonce: 'x' }), 400);
  assert.equal(await logOut({ events, sid: undefined }), 400);
  assert.equal(await logOut({ events, aud: 'another' }), 400);
  assert.equal(await logOut({ events, iss: 'https://other.example' }), 400);
  assert.equal((await browser.visit(path, { logout_token: 'x' })).status, 400);
  assert.equal((await browser.visit(path, {})).status, 400);
  await user.ok('GET', `${client}/account/whoami`);

  assert.equal(await logOut({ events }), 200);
  await eventually(async () => {
    const who = await user.request('GET', `${client}/account/whoami`);
    assert.equal(who.body['errcode'], 'M_UNKNOWN_TOKEN');
  });
  await elsewhere.ok('GET', `${client}/account/whoami`);
  const token = unused.url.searchParams.get('loginToken');
  const body = { type: 'm.login.token', token };
  assert.equal(await elsewhere.refused('POST', `${client}/login`, body), '403 M_FORBIDDEN');
});

test('a deactivated user is told so', async () => {
  const somebody = person();
  const user = await signIn(somebody);
  const path = `${client}/account/deactivate`;
  const { body } = await user.request('POST', path, {});
  const session = body['session'] as string;
  const browser = await browserOf();
  const asked = await browser.visit(`${client}/auth/m.login.sso/fallback/web?session=${session}`);
  assert.match((await browser.visit(linkOn(asked))).text, /onAuthDone/);
  await user.ok('POST', path, { auth: { session } });
  const page = await browser.visit(begin('oidc-main'));
  assert.equal(page.status, 403);
  assert.match(page.text, /deactivated/);
});

test('CAS', async () => {
  const existing = await TestClient.register(server.url, 'member');
  const browser = await browserOf();
  cas.user = existing.userId.slice(1).split(':')[0]!;
  cas.attributes = { group: ['guests'] };
  assert.equal(errorOn(await browser.visit(begin('cas'))), 'unauthorised');
  cas.attributes = { group: ['guests', 'staff'], cn: ['Member <1>'] };
  assert.equal((await logIn(await browser.visit(begin('cas')))).user.userId, existing.userId);
  assert.equal(cas.asked.at(-1), '/cas/p3/serviceValidate');

  cas.user = String(Math.floor(Math.random() * 1e12));
  const query = new URLSearchParams({ redirectUrl: appUrl }).toString();
  const page = await browser.visit(`/_matrix/client/r0/login/cas/redirect?${query}`);
  const { user } = await logIn(page);
  assert.equal(user.userId, `@u${cas.user}:test.example`);
  const profile = `${client}/profile/${encodeURIComponent(user.userId)}`;
  assert.equal((await user.ok('GET', profile))['displayname'], 'Member <1>');

  const ticket = '/_matrix/client/r0/login/cas/ticket';
  assert.equal(errorOn(await browser.visit(`${ticket}?ticket=x`)), 'invalid_request');
  const sent = await browser.visit(begin('cas'), null, { follows: false });
  const service = new URL(new URL(sent.headers['location'] as string).searchParams.get('service')!);
  service.searchParams.set('ticket', 'ST-forged');
  assert.equal(errorOn(await browser.visit(service.href)), 'unsuccessful_response');
  const other = await browser.visit(begin('oidc-main'), null, { follows: false });
  const state = new URL(other.headers['location'] as string).searchParams.get('state')!;
  const mixed = await browser.visit(`${ticket}?ticket=x&state=${state}`);
  assert.equal(errorOn(mixed), 'unknown_idp');
});
