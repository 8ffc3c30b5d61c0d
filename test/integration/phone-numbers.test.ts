import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

/** An identity server that sends the code 123456 to everybody. */
function startDelegate(): Server {
  const sessions = new Map<string, { address: string; secret: string; isValid: boolean }>();
  return createServer((req, res) => {
    const answer = (status: number, body: Json) => {
      res.writeHead(status, { 'Content-Type': 'application/json' });
      res.end(JSON.stringify(body));
    };
    void text(req).then((raw) => {
      const url = new URL(req.url!, 'http://delegate');
      const body = (raw === '' ? {} : JSON.parse(raw)) as Json;
      const prefix = '/_matrix/identity/api/v1';
      if (url.pathname === `${prefix}/validate/msisdn/requestToken`) {
        if (body['phone_number'] === '07700900099') return answer(200, {});
        const sid = String(sessions.size + 1);
        const address = `44${String(body['phone_number']).slice(1)}`;
        sessions.set(sid, { address, secret: body['client_secret'] as string, isValid: false });
        return answer(200, { sid });
      }
      if (url.pathname === `${prefix}/validate/msisdn/submitToken`) {
        const session = sessions.get(body['sid'] as string)!;
        session.isValid = body['token'] === '123456' && body['client_secret'] === session.secret;
        return answer(200, { success: session.isValid });
      }
      const session = sessions.get(url.searchParams.get('sid')!);
      const isProven = session?.isValid && session.secret === url.searchParams.get('client_secret');
      if (!isProven) return answer(200, { errcode: 'M_SESSION_NOT_VALIDATED', error: 'no' });
      return answer(200, { medium: 'msisdn', address: session.address, validated_at: Date.now() });
    });
  });
}

let delegate: Server;
let server: TestServer;
before(async () => {
  delegate = startDelegate();
  delegate.listen(0, '127.0.0.1');
  await once(delegate, 'listening');
  const { port } = delegate.address() as AddressInfo;
  server = await startTestServer(`
public_baseurl: https://matrix.test.example
account_threepid_delegates: {msisdn: 'http://127.0.0.1:${port}/'}
`);
});
after(async () => {
  await server.close();
  delegate.closeAllConnections();
  delegate.close();
});

const v3 = '/_matrix/client/v3';
const secret = 'secret';

async function prove(client: TestClient, path: string, number: string): Promise<string> {
  const asked = await client.ok('POST', `${v3}${path}/msisdn/requestToken`, {
    client_secret: secret,
    country: 'GB',
    phone_number: number,
    send_attempt: 1,
  });
  const submitUrl = new URL(asked['submit_url'] as string);
  assert.equal(submitUrl.origin, 'https://matrix.test.example');
  const code = { sid: asked['sid'], client_secret: secret, token: '123456' };
  assert.deepEqual(await client.ok('POST', submitUrl.pathname, code), { success: true });
  return asked['sid'] as string;
}

test('who has a phone number registers with it, and finds the account again by it', async () => {
  const client = new TestClient(server.url);
  const number = '07700900123';
  const sid = await prove(client, '/register', number);
  const auth = { type: 'm.login.msisdn', threepid_creds: { sid, client_secret: secret } };
  const wish = { username: uniqueName('caller'), password: 'first' };
  const wrong = { ...auth, threepid_creds: { sid, client_secret: 'other' } };
  assert.equal(
    (await client.request('POST', `${v3}/register`, { ...wish, auth: wrong })).status,
    401,
  );
  const made = await client.ok('POST', `${v3}/register`, { ...wish, auth });
  client.token = made['access_token'] as string;
  const { threepids } = await client.ok('GET', `${v3}/account/3pid`);
  assert.equal((threepids as Json[])[0]!['address'], '447700900123');
  const again = await client.request('POST', `${v3}/account/3pid/msisdn/requestToken`, {
    client_secret: secret,
    country: 'GB',
    phone_number: '+44 7700 900123',
    send_attempt: 1,
  });
  assert.equal(again.body['errcode'], 'M_THREEPID_IN_USE');
  const resetSid = await prove(new TestClient(server.url), '/account/password', number);
  await new TestClient(server.url).ok('POST', `${v3}/account/password`, {
    new_password: 'second',
    auth: { type: 'm.login.msisdn', threepid_creds: { sid: resetSid, client_secret: secret } },
  });
  await new TestClient(server.url).ok('POST', `${v3}/login`, {
    type: 'm.login.password',
    identifier: { type: 'm.id.phone', country: 'GB', phone: '07700900123' },
    password: 'second',
  });
});

test('a delegate that gives no session has not begun one', async () => {
  const client = new TestClient(server.url);
  const body = { client_secret: secret, country: 'GB', send_attempt: 1 };
  const path = `${v3}/register/msisdn/requestToken`;
  const refused = await client.refused('POST', path, { ...body, phone_number: '07700900099' });
  assert.equal(refused, '502 M_UNKNOWN');
});

test('what is no phone number is refused', async () => {
  const client = new TestClient(server.url);
  const asked = await client.request('POST', `${v3}/register/msisdn/requestToken`, {
    client_secret: secret,
    country: 'GB',
    phone_number: 'call me',
    send_attempt: 1,
  });
  assert.equal(asked.body['errcode'], 'M_INVALID_PARAM');
});
