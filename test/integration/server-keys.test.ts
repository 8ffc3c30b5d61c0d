import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { canonicalJson } from '../../src/matrix/canonical-json.ts';
import type { JsonObject } from '../../src/matrix/pdu.ts';
import { requestAuthorization } from '../../src/matrix/request-signing.ts';
import {
  generateSigningKeyLine,
  parseSigningKey,
  signJson,
  verifySignedJson,
} from '../../src/matrix/signing.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { startRemoteServer, type RemoteServer } from '../harness/remote-server.ts';
import { isOnWorkers, startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let anyone: TestClient;
before(async () => {
  server = await startTestServer();
  anyone = new TestClient(server.url);
});
after(() => server.close());

/** A path of a request that needs a signature and nothing else. */
const guarded = '/_matrix/federation/v1/get_groups_publicised';
const question = { user_ids: [] };
const ask = (remote: RemoteServer) => remote.request(server.url, 'POST', guarded, question);

async function remoteServer(t: { after(end: () => Promise<void>): void }): Promise<RemoteServer> {
  const remote = await startRemoteServer();
  t.after(() => remote.stop().catch(() => undefined));
  return remote;
}

test('the server publishes its keys, signed with them', async () => {
  const published = await anyone.ok('GET', '/_matrix/key/v2/server');
  assert.equal(published['server_name'], 'test.example');
  assert.ok((published['valid_until_ts'] as number) > Date.now());
  const [[id, { key }]] = Object.entries(published['verify_keys'] as Json) as [
    [string, { key: string }],
  ];
  assert.ok(verifySignedJson(published, 'test.example', { id, publicKey: key }));
  assert.deepEqual(await anyone.ok('GET', `/_matrix/key/v2/server/${id}`), published);
  const response = await fetch(`${server.url}/_matrix/key/v2/server`);
  assert.equal(await response.text(), canonicalJson(published), 'as it was signed');
});

test('a request of another server is believed with a signature only', async (t) => {
  const remote = await remoteServer(t);
  assert.equal((await ask(remote)).status, 200);
  assert.equal((await ask(remote)).status, 200);
  assert.equal(remote.keyRequests, 1, 'keys are kept');
  assert.equal(await anyone.refused('POST', guarded, question), '401 M_UNAUTHORIZED');

  const headerFor = (parts: { destination?: string; uri?: string; content?: JsonObject }) =>
    requestAuthorization(
      { method: 'POST', uri: guarded, destination: 'test.example', content: question, ...parts },
      remote.name,
      remote.key,
    );
  const statusWith = async (authorization: string) => {
    const body = JSON.stringify(question);
    const headers = { Authorization: authorization };
    const answer = await fetch(server.url + guarded, { method: 'POST', headers, body });
    return `${answer.status} ${((await answer.json()) as Json)['errcode'] ?? ''}`.trim();
  };
  assert.equal(await statusWith(headerFor({})), '200');
  const refused = '401 M_UNAUTHORIZED';
  assert.equal(await statusWith(headerFor({ destination: 'else.example' })), refused);
  assert.equal(await statusWith(headerFor({ uri: '/elsewhere' })), refused);
  assert.equal(await statusWith(headerFor({ content: { user_ids: ['@a:b'] } })), refused);
  assert.equal(await statusWith(headerFor({}).replace(remote.name, 'else.example')), refused);
  assert.equal(await statusWith('X-Matrix nonsense'), refused);
});

test('keys that have expired are not believed, and not asked for again and again', async (t) => {
  const remote = await remoteServer(t);
  const { signatures: _signatures, ...published } = remote.publishedKeys();
  const expired = { ...published, valid_until_ts: Date.now() - 1 };
  remote.publishedKeys = () => signJson(expired, remote.name, remote.key);
  const tries = 5;
  for (let i = 0; i < tries; i++) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal((await ask(remote)).status, 401);
  }
  // Each of the workers that take the request asks for itself.
  assert.ok(remote.keyRequests <= (isOnWorkers ? 2 : 1), String(remote.keyRequests));
});

test('keys with a wrong signature are not believed', async (t) => {
  const remote = await remoteServer(t);
  const published = remote.publishedKeys();
  const other = parseSigningKey(generateSigningKeyLine('other'));
  remote.publishedKeys = () => ({ ...published, verify_keys: { [other.id]: { key: 'AAAA' } } });
  assert.equal((await ask(remote)).status, 401);
});

test('the server tells the keys of others, also when they have gone', async (t) => {
  const remote = await remoteServer(t);
  const path = `/_matrix/key/v2/query/${encodeURIComponent(remote.name)}`;
  const own = await anyone.ok('GET', '/_matrix/key/v2/server');
  const [[id, { key }]] = Object.entries(own['verify_keys'] as Json) as [[string, { key: string }]];
  const checked = (answer: Json) => {
    const [passedOn, ...more] = answer['server_keys'] as JsonObject[];
    assert.equal(more.length, 0);
    assert.ok(verifySignedJson(passedOn!, 'test.example', { id, publicKey: key }));
    assert.ok(verifySignedJson(passedOn!, remote.name, remote.key));
  };
  checked(await anyone.ok('GET', path));
  await remote.stop();
  checked(await anyone.ok('GET', path));
  const wanted = { [remote.name]: { [remote.key.id]: { minimum_valid_until_ts: Date.now() } } };
  checked(await anyone.ok('POST', '/_matrix/key/v2/query', { server_keys: wanted }));
  assert.equal(remote.keyRequests, 1);

  const ofItself = await anyone.ok('GET', '/_matrix/key/v2/query/test.example');
  assert.equal((ofItself['server_keys'] as Json[])[0]!['server_name'], 'test.example');
  const nobody = await anyone.ok('GET', '/_matrix/key/v2/query/localhost:1');
  assert.deepEqual(nobody, { server_keys: [] });
  const refused = await anyone.refused('GET', '/_matrix/key/v2/query/a%20b');
  assert.equal(refused, '400 M_INVALID_PARAM');
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`s${i}.example`, {}]));
  const tooMany = await anyone.refused('POST', '/_matrix/key/v2/query', { server_keys: many });
  assert.equal(tooMany, '413 M_TOO_LARGE');
});
