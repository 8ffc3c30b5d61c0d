import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { startSmtpServer, type ReceivedMail, type SmtpServer } from '../harness/smtp.ts';

let smtp: SmtpServer;
let server: TestServer;
before(async () => {
  smtp = await startSmtpServer();
  const options = `
public_baseurl: https://matrix.test.example
registrations_require_3pid: [email]
email:
  smtp_host: 127.0.0.1
  smtp_port: ${smtp.port}
  notif_from: '%(app)s <noreply@test.example>'
  enable_notifs: true
  notif_delay_before_mail: 1500
  client_base_url: https://chat.test.example/
`;
  server = await startTestServer(options, ['pusher']);
});
after(async () => {
  await server.close();
  await smtp.close();
});

const v3 = '/_matrix/client/v3';

/** What has come for an address, once there is so much. */
const mailsTo = (address: string, count: number): Promise<ReceivedMail[]> =>
  eventually(async () => {
    const found = smtp.mails.filter(({ to }) => to.includes(address));
    assert.ok(found.length >= count, `${found.length} mails`);
    return found;
  });

const linkIn = (mail: ReceivedMail, pattern: RegExp) => {
  const url = new URL(pattern.exec(mail.text)![0]);
  return server.url + url.pathname + url.search;
};

/** A new user with a mail address. */
async function register() {
  const client = new TestClient(server.url);
  const username = uniqueName('mailed');
  const address = `${username}@example.org`;
  const wish = { username, password: 'a password 12' };
  const { body: challenge } = await client.request('POST', `${v3}/register`, wish);
  const asked = { client_secret: 'secret', email: address, send_attempt: 1 };
  const { sid } = await client.ok('POST', `${v3}/register/email/requestToken`, asked);
  const [mail] = await mailsTo(address, 1);
  await fetch(linkIn(mail!, /https:\S+/));
  const made = await client.ok('POST', `${v3}/register`, {
    ...wish,
    auth: {
      type: 'm.login.email.identity',
      threepid_creds: { sid, client_secret: 'secret' },
      session: challenge['session'],
    },
  });
  client.userId = made['user_id'] as string;
  client.token = made['access_token'] as string;
  return { client, address };
}

const pushersOf = async (client: TestClient) =>
  (await client.ok('GET', `${v3}/pushers`))['pushers'] as Json[];

test('new users are mailed what they missed, once for all of it, until they unsubscribe', async () => {
  const { client: alice, address } = await register();
  const { client: bob } = await register();
  const [pusher] = await pushersOf(alice);
  assert.equal(pusher!['kind'], 'email');
  assert.equal(pusher!['app_id'], 'm.email');
  assert.equal(pusher!['pushkey'], address);
  const roomId = await bob.createRoom({ preset: 'public_chat', name: 'Garden' });
  await alice.join(roomId);
  await bob.send(roomId, 'the <b>roses</b> bloom');
  await bob.send(roomId, 'come and see');
  const mail = (await mailsTo(address, 2))[1]!;
  assert.match(mail.subject, /messages? on Matrix (from .* )?in the Garden room/);
  assert.ok(mail.text.includes('the <b>roses</b> bloom'));
  assert.ok(mail.raw.includes('&lt;b&gt;roses'));
  assert.ok(mail.text.includes(`https://chat.test.example/#/room/${roomId}/$`));
  assert.match(mail.raw, /List-Unsubscribe-Post: List-Unsubscribe=One-Click/i);

  const link = linkIn(mail, /https:\/\/matrix\.test\.example\/_synapse\S+/);
  const page = await fetch(link);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<form method="post">/);
  assert.equal((await pushersOf(alice)).length, 1, 'to look at the page changes nothing');
  assert.equal((await fetch(`${link}x`, { method: 'POST' })).status, 400);
  assert.equal((await pushersOf(alice)).length, 1);
  assert.equal((await fetch(link, { method: 'POST' })).status, 200);
  assert.deepEqual(await pushersOf(alice), []);
});

test('what was read in time is not mailed; an invitation is', async () => {
  const { client: alice, address } = await register();
  const { client: bob } = await register();
  const roomId = await bob.createRoom({ preset: 'public_chat', name: 'Kitchen' });
  await alice.join(roomId);
  const eventId = await bob.send(roomId, 'soup is ready');
  await alice.ok('POST', `${alice.room(roomId)}/receipt/m.read/${encodeURIComponent(eventId)}`, {});
  await bob.createRoom({ invite: [alice.userId], name: 'Cellar' });
  const mail = (await mailsTo(address, 2))[1]!;
  assert.match(mail.subject, /has invited you to join the Cellar room/);
  assert.ok(!mail.text.includes('soup is ready'));
});

test('names are one line in a mail, whatever is in them', async () => {
  const { client: alice, address } = await register();
  const { client: bob } = await register();
  const displayname = 'Bob\r\n\r\n\u202eYour account is blocked';
  const profile = `${v3}/profile/${encodeURIComponent(bob.userId)}/displayname`;
  await bob.ok('PUT', profile, { displayname });
  const name = 'Attic\r\nBcc: eve@example.org\n\nLog in at <https://evil.example>';
  const roomId = await bob.createRoom({ preset: 'public_chat', name });
  await alice.join(roomId);
  await bob.send(roomId, 'boo');
  const mail = (await mailsTo(address, 2))[1]!;
  const seen = 'Attic Bcc: eve@example.org Log in at <https://evil.example>';
  assert.match(mail.subject, new RegExp(`from Bob Your account is blocked in the ${seen} room`));
  assert.doesNotMatch(mail.raw, /^Bcc:/m);
  assert.doesNotMatch(mail.text, /^(?:Your account|Log in)/m);
  assert.ok(mail.text.includes(seen));
});

test('an address that is another’s cannot be mailed to', async () => {
  const { client: alice, address } = await register();
  const { client: bob } = await register();
  const wish = {
    kind: 'email',
    app_id: 'm.email',
    app_display_name: 'Mail',
    device_display_name: address,
    pushkey: address,
    lang: 'en',
    data: {},
  };
  assert.equal(await bob.refused('POST', `${v3}/pushers/set`, wish), '400 M_THREEPID_NOT_FOUND');
  await alice.ok('POST', `${v3}/pushers/set`, { ...wish, pushkey: address.toUpperCase() });
  assert.deepEqual(
    (await pushersOf(alice)).map((one) => one['pushkey']),
    [address],
  );
});
