import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestClient } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let folder: string;
let bridge: Server;
let server: TestServer;
/** What the bridge was asked. */
const asked: { path: string; authorization: string | undefined; body: unknown }[] = [];
let bridgeStatus = 200;

const registration = (id: string, url: string | null) => `
id: ${id}
url: ${url}
as_token: as of ${id}
hs_token: hs of ${id}
sender_localpart: ${id}
rate_limited: false
namespaces: {users: [{exclusive: true, regex: '@${id}_.*'}]}
`;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lattice-bridges-'));
  bridge = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk: Buffer) => void (body += String(chunk)));
    req.on('end', () => {
      const { authorization } = req.headers;
      asked.push({ path: req.url!, authorization, body: JSON.parse(body) as unknown });
      res.writeHead(bridgeStatus).end('{"answer":"of the bridge"}');
    });
  });
  bridge.listen(0, '127.0.0.1');
  await once(bridge, 'listening');
  const { port } = bridge.address() as AddressInfo;
  const urls = { irc: `http://127.0.0.1:${port}`, dead: 'http://127.0.0.1:1', mute: null };
  const files = Object.entries(urls).map(([id, url]) => {
    const path = join(folder, `${id}.yaml`);
    return { path, written: writeFile(path, registration(id, url)) };
  });
  await Promise.all(files.map(({ written }) => written));
  const paths = files.map(({ path }) => JSON.stringify(path)).join(', ');
  server = await startTestServer(`app_service_config_files: [${paths}]\n`);
});
after(async () => {
  await server.close();
  bridge.close();
  await rm(folder, { recursive: true, force: true });
});

/** A client of the bridge's own user, which nobody has to register. */
function bridgeClient(id: string): TestClient {
  const client = new TestClient(server.url);
  client.token = `as of ${id}`;
  return client;
}
const pingOf = (id: string) => `/_matrix/client/v1/appservice/${id}/ping`;

test('a bridge tries its connection', async () => {
  const irc = bridgeClient('irc');
  bridgeStatus = 200;
  const answer = await irc.ok('POST', pingOf('irc'), { transaction_id: 'mine' });
  assert.ok(Number.isInteger(answer['duration_ms']) && answer['duration_ms'] >= 0);
  const ping = { path: '/_matrix/app/v1/ping', authorization: 'Bearer hs of irc' };
  assert.deepEqual(asked, [{ ...ping, body: { transaction_id: 'mine' } }]);
  bridgeStatus = 401;
  const bad = await irc.request('POST', pingOf('irc'), {});
  assert.equal(bad.status, 502);
  assert.equal(bad.body['errcode'], 'M_BAD_STATUS');
  assert.equal(bad.body['status'], 401);
  assert.equal(bad.body['body'], '{"answer":"of the bridge"}');
});

test('why a bridge cannot be reached, and who may not ask', async () => {
  const ask = async (id: string) => bridgeClient(id).refused('POST', pingOf(id), {});
  assert.equal(await ask('dead'), '502 M_CONNECTION_FAILED');
  assert.equal(await ask('mute'), '400 M_URL_NOT_SET');
  const [irc, alice] = [bridgeClient('irc'), await TestClient.register(server.url)];
  assert.equal(await irc.refused('POST', pingOf('dead'), {}), '403 M_FORBIDDEN');
  assert.equal(await alice.refused('POST', pingOf('irc'), {}), '403 M_FORBIDDEN');
});

test('bridges have directories of their own, one for each network', async () => {
  const [irc, mute] = [bridgeClient('irc'), bridgeClient('mute')];
  const alice = await TestClient.register(server.url);
  const [bridged, elsewhere, local] = [
    await alice.createRoom({ name: 'bridged' }),
    await alice.createRoom({ name: 'elsewhere' }),
    await alice.createRoom({ name: 'local', visibility: 'public' }),
  ];
  const entry = (network: string, roomId: string) =>
    `/_matrix/client/v3/directory/list/appservice/${network}/${encodeURIComponent(roomId)}`;
  const list = async (wish: Record<string, unknown>): Promise<string[]> => {
    const { chunk } = await alice.ok('POST', '/_matrix/client/v3/publicRooms', wish);
    return (chunk as { name: string }[]).map(({ name }) => name).toSorted();
  };
  await irc.ok('PUT', entry('libera', bridged), { visibility: 'public' });
  await irc.ok('PUT', entry('libera', bridged), { visibility: 'public' });
  await irc.ok('PUT', entry('libera', local), { visibility: 'public' });
  await mute.ok('PUT', entry('libera', elsewhere), { visibility: 'public' });

  assert.deepEqual(await list({}), ['local']);
  assert.deepEqual(await list({ third_party_instance_id: 'irc|libera' }), ['bridged', 'local']);
  assert.deepEqual(await list({ third_party_instance_id: 'mute|libera' }), ['elsewhere']);
  assert.deepEqual(await list({ third_party_instance_id: 'irc|oftc' }), []);
  const all = { include_all_networks: true };
  assert.deepEqual(await list(all), ['bridged', 'elsewhere', 'local']);
  const page = await alice.ok('POST', '/_matrix/client/v3/publicRooms', { ...all, limit: 2 });
  assert.equal(page['total_room_count_estimate'], 3);
  assert.equal((await list({ ...all, limit: 2, since: page['next_batch'] })).length, 1);

  await irc.ok('PUT', entry('libera', bridged), { visibility: 'private' });
  await irc.ok('DELETE', entry('libera', local));
  await irc.ok('DELETE', entry('libera', elsewhere));
  assert.deepEqual(await list({ third_party_instance_id: 'irc|libera' }), []);
  assert.deepEqual(await list(all), ['elsewhere', 'local'], 'the others are as they were');
});

test('directories of bridges: what is refused', async () => {
  const [irc, alice] = [bridgeClient('irc'), await TestClient.register(server.url)];
  const entry = '/_matrix/client/v3/directory/list/appservice/libera';
  const shown = { visibility: 'public' };
  assert.equal(await alice.refused('PUT', `${entry}/!a:test.example`, shown), '403 M_FORBIDDEN');
  assert.equal(await irc.refused('PUT', `${entry}/!a:test.example`, shown), '404 M_NOT_FOUND');
  for (const wish of [
    { third_party_instance_id: 'no bar' },
    { third_party_instance_id: 'irc|libera', include_all_networks: true },
  ]) {
    // oxlint-disable-next-line no-await-in-loop
    const refusal = await alice.refused('POST', '/_matrix/client/v3/publicRooms', wish);
    assert.equal(refusal, '400 M_INVALID_PARAM');
  }
});

test('a bridge says when its messages and joins were', async () => {
  const irc = bridgeClient('irc');
  const alice = await TestClient.register(server.url, 'alice');
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const bridge = '@irc:test.example';
  const path = `${irc.room(roomId)}/state/m.room.member/${encodeURIComponent(bridge)}?ts=1000`;
  const join = await irc.ok('PUT', path, { membership: 'join' });
  const send = `${irc.room(roomId)}/send/m.room.message/t1?ts=2000`;
  const message = await irc.ok('PUT', send, { msgtype: 'm.text', body: 'of long ago' });
  for (const [{ event_id: eventId }, ts] of [
    [join, 1000],
    [message, 2000],
  ] as const) {
    const event = `${alice.room(roomId)}/event/${encodeURIComponent(eventId as string)}`;
    // oxlint-disable-next-line no-await-in-loop
    assert.equal((await alice.ok('GET', event))['origin_server_ts'], ts);
  }
});
