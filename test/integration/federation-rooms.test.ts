import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JsonObject } from '../../src/matrix/pdu.ts';
import { TestClient } from '../harness/client.ts';
import { startRemoteServer, type RemoteServer } from '../harness/remote-server.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

// What servers read that are in a room is tested beside the code, in src/federation-rooms/.

let server: TestServer;
let remote: RemoteServer;
before(async () => {
  server = await startTestServer();
  remote = await startRemoteServer();
});
after(async () => {
  await remote.stop();
  await server.close();
});

const base = '/_matrix/federation/v1';

test('servers outside a room read nothing of it, and learn not even that it is there', async () => {
  const alice = await TestClient.register(server.url);
  const room = await alice.createRoom({ preset: 'public_chat' });
  const event = encodeURIComponent(await alice.send(room, 'for us'));
  const questions = (roomId: string): [method: string, path: string, body?: JsonObject][] => [
    ['GET', `/state/${roomId}?event_id=${event}`],
    ['GET', `/state_ids/${roomId}?event_id=${event}`],
    ['GET', `/event_auth/${roomId}/${event}`],
    ['POST', `/query_auth/${roomId}/${event}`, {}],
    ['GET', `/backfill/${roomId}?v=${event}&limit=10`],
    ['POST', `/get_missing_events/${roomId}`, { earliest_events: [], latest_events: [] }],
    ['GET', `/timestamp_to_event/${roomId}?ts=0&dir=f`],
  ];
  const all = [
    ...questions(encodeURIComponent(room)),
    ...questions(encodeURIComponent('!nowhere:test.example')),
    ['GET', `/event/${event}`] as const,
  ];
  for (const [method, path, body] of all) {
    // oxlint-disable-next-line no-await-in-loop
    const answer = await remote.request(server.url, method, base + path, body);
    const told = `${answer.status} ${answer.body['errcode'] as string}`;
    assert.equal(told, '403 M_FORBIDDEN', path);
    // oxlint-disable-next-line no-await-in-loop
    const unsigned = await new TestClient(server.url).refused(method, base + path, body);
    assert.equal(unsigned, '401 M_UNAUTHORIZED', path);
  }
  const unknown = await remote.request(server.url, 'GET', `${base}/event/%24nothing`);
  assert.equal(`${unknown.status} ${unknown.body['errcode'] as string}`, '404 M_NOT_FOUND');
});
