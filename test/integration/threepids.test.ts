import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { startSmtpServer, type SmtpServer } from '../harness/smtp.ts';

let smtp: SmtpServer;
let server: TestServer;
before(async () => {
  smtp = await startSmtpServer();
  server = await startTestServer(`
public_baseurl: https://matrix.test.example
registrations_require_3pid: [email]
allowed_local_3pids:
  - {medium: email, pattern: '.*@example\\.org$'}
email:
  smtp_host: 127.0.0.1
  smtp_port: ${smtp.port}
  notif_from: '%(app)s <noreply@test.example>'
`);
});
after(async () => {
  await server.close();
  await smtp.close();
});

const v3 = '/_matrix/client/v3';
const someAddress = () => `${uniqueName('Mail')}@Example.org`;

interface Wish {
  address: string;
  secret?: string;
  attempt?: number;
  nextLink?: string;
}

function requestToken(client: TestClient, path: string, wish: Wish) {
  const { address, secret = 'secret', attempt = 1, nextLink } = wish;
  return client.request('POST', `${v3}${path}/email/requestToken`, {
    client_secret: secret,
    email: address,
    send_attempt: attempt,
    ...(nextLink === undefined ? {} : { next_link: nextLink }),
  });
}

/** Follows the link of the mail that comes next, as a browser would. */
async function follow(): Promise<Response> {
  const mail = await smtp.next();
  const link = new URL(/https:\S+/.exec(mail.text)![0]);
  assert.equal(link.origin, 'https://matrix.test.example');
  return fetch(server.url + link.pathname + link.search, { redirect: 'manual' });
}

const creds = (sid: unknown, secret = 'secret') => ({
  type: 'm.login.email.identity',
  threepid_creds: { sid, client_secret: secret },
});

async function register(address: string): Promise<{ client: TestClient; username: string }> {
  const client = new TestClient(server.url);
  const username = uniqueName('mailer');
  const wish = { username, password: 'first password' };
  const challenge = await client.request('POST', `${v3}/register`, wish);
  assert.deepEqual(challenge.body['flows'], [{ stages: ['m.login.email.identity'] }]);
  const { session } = challenge.body;
  const { body } = await requestToken(client, '/register', { address });
  const early = await client.request('POST', `${v3}/register`, {
    ...wish,
    auth: { ...creds(body['sid']), session },
  });
  assert.equal(early.status, 401);
  assert.equal(early.body['errcode'], 'M_UNAUTHORIZED');
  assert.equal((await follow()).status, 200);
  const made = await client.ok('POST', `${v3}/register`, {
    ...wish,
    auth: { ...creds(body['sid']), session },
  });
  client.userId = made['user_id'] as string;
  client.token = made['access_token'] as string;
  return { client, username };
}

const addressesOf = async (client: TestClient) =>
  ((await client.ok('GET', `${v3}/account/3pid`))['threepids'] as Json[]).map(
    (threepid) => threepid['address'] as string,
  );

const logIn = (client: TestClient, address: string, password: string) =>
  client.request('POST', `${v3}/login`, {
    type: 'm.login.password',
    identifier: { type: 'm.id.thirdparty', medium: 'email', address },
    password,
  });

test('who registers proves a mail address first, and can log in with it', async () => {
  const address = someAddress();
  const { client } = await register(address);
  assert.deepEqual(await addressesOf(client), [address.toLowerCase()]);
  assert.equal((await logIn(new TestClient(server.url), address, 'first password')).status, 200);
  const again = await requestToken(client, '/register', { address, secret: 'other' });
  assert.equal(again.body['errcode'], 'M_THREEPID_IN_USE');
});

test('a dummy stage does not replace the mail address', async () => {
  const client = new TestClient(server.url);
  const answer = await client.request('POST', `${v3}/register`, {
    username: uniqueName('nomail'),
    password: 'password',
    auth: { type: 'm.login.dummy' },
  });
  assert.equal(answer.status, 401);
});

test('who has forgotten the password sets a new one by mail, after a question', async () => {
  const address = someAddress();
  const { client } = await register(address);
  const anybody = new TestClient(server.url);
  const unknown = await requestToken(anybody, '/account/password', { address: someAddress() });
  assert.equal(unknown.body['errcode'], 'M_THREEPID_NOT_FOUND');
  const secret = 'reset.secret';
  const { body } = await requestToken(anybody, '/account/password', { address, secret });
  const reset = { new_password: 'second password', auth: creds(body['sid'], secret) };
  const mail = smtp.next();
  const link = new URL(/https:\S+/.exec((await mail).text)![0]);
  const question = await fetch(server.url + link.pathname + link.search);
  assert.match(await question.text(), /<form method="post">/);
  const early = await anybody.request('POST', `${v3}/account/password`, reset);
  assert.equal(early.status, 401, 'to look at the page is not enough');
  const answered = await fetch(server.url + link.pathname, {
    method: 'POST',
    body: link.searchParams,
  });
  assert.equal(answered.status, 200);
  await anybody.ok('POST', `${v3}/account/password`, reset);
  assert.equal((await logIn(anybody, address, 'first password')).status, 403);
  assert.equal((await logIn(anybody, address, 'second password')).status, 200);
  assert.equal(
    await client.refused('GET', `${v3}/account/whoami`),
    '401 M_UNKNOWN_TOKEN',
    'other sessions are logged out',
  );
  const replay = await anybody.request('POST', `${v3}/account/password`, reset);
  assert.equal(replay.status, 401, 'a proof is good for one password');
});

test('a proof from before the account does not open it', async () => {
  const address = someAddress();
  const attacker = new TestClient(server.url);
  const secret = 'attacker';
  const { body } = await requestToken(attacker, '/register', { address, secret });
  assert.equal((await follow()).status, 200, 'the owner takes the link for the own one');
  await register(address);
  const reset = { new_password: 'stolen', auth: creds(body['sid'], secret) };
  assert.equal(
    await attacker.refused('POST', `${v3}/account/password`, reset),
    '400 M_THREEPID_AUTH_FAILED',
  );
});

test('an address is added to an account and removed again', async () => {
  const { client, username } = await register(someAddress());
  const address = someAddress().toLowerCase();
  const wish = { address, secret: 'add', nextLink: 'https://client.example/done' };
  const { body } = await requestToken(client, '/account/3pid', wish);
  const followed = await follow();
  assert.equal(followed.status, 302);
  assert.equal(followed.headers.get('location'), 'https://client.example/done');
  const add = { sid: body['sid'], client_secret: 'add' };
  const challenge = await client.request('POST', `${v3}/account/3pid/add`, add);
  assert.equal(challenge.status, 401);
  await client.ok('POST', `${v3}/account/3pid/add`, {
    ...add,
    auth: {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: username },
      password: 'first password',
      session: challenge.body['session'],
    },
  });
  assert.ok((await addressesOf(client)).includes(address));
  const gone = await client.ok('POST', `${v3}/account/3pid/delete`, { medium: 'email', address });
  assert.equal(gone['id_server_unbind_result'], 'no-support');
  assert.ok(!(await addressesOf(client)).includes(address));
});

test('people are led to any page, however it is written', async () => {
  const client = new TestClient(server.url);
  const nextLink = 'https://client.example/\r\n→?ü';
  await requestToken(client, '/register', { address: someAddress(), nextLink });
  const followed = await follow();
  assert.equal(followed.status, 302);
  assert.equal(followed.headers.get('location'), 'https://client.example/%E2%86%92?%C3%BC');
});

test('an attempt is sent once, and again when the mail server did not take it', async () => {
  const client = new TestClient(server.url);
  const address = someAddress();
  const before = smtp.mails.length;
  const first = await requestToken(client, '/register', { address });
  const same = await requestToken(client, '/register', { address });
  assert.equal(same.body['sid'], first.body['sid']);
  assert.equal(smtp.mails.length, before + 1);
  await requestToken(client, '/register', { address, attempt: 2 });
  assert.equal(smtp.mails.length, before + 2);
  smtp.refuse(true);
  const failed = await requestToken(client, '/register', { address, attempt: 3 });
  assert.equal(failed.status, 500);
  smtp.refuse(false);
  assert.equal((await requestToken(client, '/register', { address, attempt: 3 })).status, 200);
  assert.equal(smtp.mails.length, before + 3);
  await smtp.next();
  await smtp.next();
  assert.equal((await follow()).status, 200);
});

test('wrong tokens, addresses and links are refused', async () => {
  const client = new TestClient(server.url);
  const query = 'sid=none&client_secret=secret&token=wrong';
  const page = await fetch(
    `${server.url}/_matrix/client/unstable/registration/email/submit_token?${query}`,
  );
  assert.equal(page.status, 400);
  assert.match(page.headers.get('content-type')!, /^text\/html/);
  const refused = async (wish: Wish) =>
    (await requestToken(client, '/register', wish)).body['errcode'] as string;
  assert.equal(await refused({ address: 'a@elsewhere.example' }), 'M_THREEPID_DENIED');
  assert.equal(await refused({ address: 'no address' }), 'M_INVALID_PARAM');
  assert.equal(await refused({ address: someAddress(), secret: 'ö' }), 'M_INVALID_PARAM');
  assert.equal(
    await refused({ address: someAddress(), nextLink: 'javascript:alert(1)' }),
    'M_INVALID_PARAM',
  );
  const phone = await client.request('POST', `${v3}/register/msisdn/requestToken`, {
    client_secret: 'secret',
    country: 'GB',
    phone_number: '07700900001',
    send_attempt: 1,
  });
  assert.equal(phone.body['errcode'], 'M_THREEPID_DENIED');
});

test('where addresses are not given away, strangers learn nothing and owners get a mail', async () => {
  const quiet = await startTestServer(`
public_baseurl: https://matrix.test.example
request_token_inhibit_3pid_errors: true
email: {smtp_host: 127.0.0.1, smtp_port: ${smtp.port}, notif_from: 'noreply@test.example'}
`);
  try {
    const client = new TestClient(quiet.url);
    const address = someAddress();
    const before = smtp.mails.length;
    const reset = await requestToken(client, '/account/password', { address });
    assert.equal(reset.status, 200);
    assert.equal(smtp.mails.length, before, 'nobody has the address');
    const { body } = await requestToken(client, '/register', { address });
    const link = new URL(/https:\S+/.exec(smtp.mails.at(-1)!.text)![0]);
    await fetch(quiet.url + link.pathname + link.search);
    const wish = { username: uniqueName('quiet'), password: 'password' };
    await client.ok('POST', `${v3}/register`, { ...wish, auth: creds(body['sid']) });
    const again = await requestToken(client, '/register', { address, secret: 'other' });
    assert.equal(again.status, 200);
    const { subject, text } = smtp.mails.at(-1)!;
    assert.equal(subject, '[test.example] Email already in use');
    assert.doesNotMatch(text, /https:/);
    smtp.refuse(true);
    const unknown = await requestToken(client, '/register', { address: someAddress() });
    const known = await requestToken(client, '/register', { address, secret: 'third' });
    smtp.refuse(false);
    assert.deepEqual(known, unknown, 'nor when no mail can be sent');
  } finally {
    await quiet.close();
  }
});
