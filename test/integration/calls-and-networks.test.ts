import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let alice: TestClient;
before(async () => {
  server = await startTestServer(`
allow_guest_access: true
turn_uris: ['turn:turn.example.org?transport=udp']
turn_shared_secret: secret
turn_user_lifetime: 2h
turn_allow_guests: false
matrix_rtc:
  transports:
    - {type: livekit, livekit_service_url: https://livekit.example.org}
`);
  alice = await TestClient.register(server.url, 'alice');
});
after(() => server.close());

test('users get credentials for calls that end with them; guests are asked to register', async () => {
  const guest = new TestClient(server.url);
  const made = await guest.ok('POST', '/_matrix/client/v3/register?kind=guest', {});
  guest.token = made['access_token'] as string;
  for (const version of ['v3', 'r0', 'api/v1', 'unstable']) {
    const path = `/_matrix/client/${version}/voip/turnServer`;
    // oxlint-disable-next-line no-await-in-loop
    const answer = await alice.ok('GET', path);
    assert.equal(answer['ttl'], 7200);
    assert.match(answer['username'] as string, new RegExp(`^\\d+:${alice.userId}$`));
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await guest.refused('GET', path), '403 M_GUEST_ACCESS_FORBIDDEN');
  }
});

test('clients learn of the transports of MatrixRTC', async () => {
  for (const path of ['v1/rtc/transports', 'unstable/org.matrix.msc4143/rtc/transports']) {
    // oxlint-disable-next-line no-await-in-loop
    assert.deepEqual(await alice.ok('GET', `/_matrix/client/${path}`), {
      rtc_transports: [{ type: 'livekit', livekit_service_url: 'https://livekit.example.org' }],
    });
  }
});

test('without bridges there are no other networks', async () => {
  const path = '/_matrix/client/v3/thirdparty';
  assert.deepEqual(await alice.ok('GET', `${path}/protocols`), {});
  assert.equal(await alice.refused('GET', `${path}/protocol/irc`), '404 M_NOT_FOUND');
  for (const look of [
    'location/irc?channel=x',
    'user/irc',
    'location?alias=%23a:b',
    'user?userid=@a:b',
  ]) {
    // oxlint-disable-next-line no-await-in-loop
    const answer = await alice.request('GET', `${path}/${look}`);
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, [], look);
  }
});
