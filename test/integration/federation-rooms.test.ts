import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventIdOf } from '../../src/matrix/event-format.ts';
import type { JsonObject, Pdu } from '../../src/matrix/pdu.ts';
import { checkReceived } from '../../src/matrix/received-pdu.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { RemoteRoom } from '../harness/remote-room.ts';
import { startRemoteServer, type RemoteServer } from '../harness/remote-server.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

// Forks, visibility and access rules are tested beside the code, in src/federation-rooms/.

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
const inUrl = encodeURIComponent;

async function ok(path: string, body?: JsonObject): Promise<JsonObject> {
  const method = body ? 'POST' : 'GET';
  const answer = await remote.request(server.url, method, base + path, body);
  assert.equal(answer.status, 200, `${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

for (const version of ['1', '11', '12']) {
  test(`room version ${version}: a server in a room reads what another has of it`, async () => {
    const room = new RemoteRoom(remote, { version });
    remote.answer = (request) => room.answer(request);
    const stateIds = [...room.state.values()].map(({ eventId }) => eventId);
    const alice = await TestClient.register(server.url);
    const via = `/_matrix/client/v3/join/${inUrl(room.roomId)}?via=${inUrl(remote.name)}`;
    await alice.ok('POST', via, {});
    const join = room.last!;
    const sent = await alice.send(room.roomId, 'hello');

    const roomId = inUrl(room.roomId);
    const at = inUrl(join.eventId);
    const ids = await ok(`/state_ids/${roomId}?event_id=${at}`);
    assert.deepEqual(new Set(ids['pdu_ids'] as string[]), new Set(stateIds));
    const { pdus: entries } = await ok(`/state/${roomId}?event_id=${inUrl(sent)}`);
    const entryIds = (entries as unknown as Pdu[]).map((pdu) => eventIdOf(room.version, pdu));
    assert.deepEqual(new Set(entryIds), new Set([...stateIds, join.eventId]));

    const { auth_chain: chain } = await ok(`/event_auth/${roomId}/${inUrl(sent)}`);
    const chainIds = (chain as unknown as Pdu[]).map((pdu) => eventIdOf(room.version, pdu));
    assert.ok(chainIds.includes(join.eventId) && chainIds.includes(stateIds[0]!));

    const { pdus } = await ok(`/backfill/${roomId}?v=${inUrl(sent)}&limit=10`);
    const given = pdus as unknown as Pdu[];
    // What came before the join is not known here.
    const givenIds = given.map((pdu) => eventIdOf(room.version, pdu));
    assert.deepEqual(givenIds, [sent, join.eventId]);
    const wish = { earliest_events: [], latest_events: [sent] };
    const { events } = await ok(`/get_missing_events/${roomId}`, wish);
    assert.deepEqual(events, [given[1]]);
    assert.deepEqual((await ok(`/event/${inUrl(sent)}`))['pdus'], [given[0]]);
    const nearest = await ok(`/timestamp_to_event/${roomId}?ts=${Date.now() + 60_000}&dir=b`);
    assert.equal(nearest['event_id'], sent);

    const keys = await new TestClient(server.url).ok('GET', '/_matrix/key/v2/server');
    const checked = await checkReceived(room.version, room.roomId, given[0], async (_name, id) => ({
      publicKey: (keys['verify_keys'] as Json)[id].key as string,
      validUntilTs: keys['valid_until_ts'] as number,
    }));
    if (typeof checked === 'string') assert.fail(checked);
    assert.deepEqual(checked.pdu, given[0], 'the hash is that of what was sent');
  });
}

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
