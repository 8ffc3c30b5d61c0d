import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import { jsonAnswer, type JsonRequest, type SendJson } from '../http/json-client.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { generateSigningKeyLine, parseSigningKey, verifySignedJson } from '../matrix/signing.ts';
import { createIdentityServers } from './identity-servers.ts';

let testDatabase: TestDatabase;
before(async () => {
  testDatabase = await createTestDatabase();
});
after(() => testDatabase.close());

const signingKey = parseSigningKey(generateSigningKeyLine('1'));
let users = 0;

function setUp(answer: (request: JsonRequest) => [status: number, body: unknown]) {
  const asked: JsonRequest[] = [];
  const send: SendJson = async (request) => {
    asked.push(request);
    const [status, body] = answer(request);
    if (status === 0) throw new Error('unreachable');
    return jsonAnswer(status, JSON.stringify(body));
  };
  const { database } = testDatabase;
  const servers = createIdentityServers({ database, serverName: 'here', signingKey, send });
  const user = { userNid: ++users, userId: `@user${users}:here` };
  const bind = (idServer: string) =>
    servers.bind(user, { idServer, idAccessToken: 't', sid: '1', clientSecret: 's' });
  return { asked, servers, user, bind };
}

const threepid = { medium: 'email', address: 'a@b' };
const isBind = ({ url }: JsonRequest) => url.endsWith('/bind');

test('what was bound is unbound everywhere, with requests that this server has signed', async () => {
  const { asked, servers, user, bind } = setUp(() => [200, threepid]);
  await bind('one.example');
  await bind('two.example:8443/path');
  asked.length = 0;
  assert.equal(await servers.unbind(user, threepid, null), true);
  const urls = asked.map(({ url }) => url).sort();
  assert.deepEqual(urls, [
    'https://one.example/_matrix/identity/v2/3pid/unbind',
    'https://two.example:8443/path/_matrix/identity/v2/3pid/unbind',
  ]);
  const first = asked.find(({ url }) => url.includes('one.example'))!;
  const [, key, sig] = /key="([^"]+)",sig="([^"]+)"/.exec(first.headers!['Authorization']!)!;
  const signed: JsonObject = {
    method: 'POST',
    uri: '/_matrix/identity/v2/3pid/unbind',
    origin: 'here',
    destination: 'one.example',
    content: first.body as JsonObject,
    signatures: { here: { [key!]: sig! } },
  };
  assert.ok(verifySignedJson(signed, 'here', signingKey));
  assert.equal(await servers.unbind(user, threepid, null), false, 'nobody is left to be told');
});

test('a server without support is forgotten; one that cannot be told is told again', async () => {
  let status = 404;
  const { servers, user, bind } = setUp((request) =>
    isBind(request) ? [200, threepid] : [status, {}],
  );
  await bind('old.example');
  assert.equal(await servers.unbindAll(user, null), false);
  await bind('down.example');
  for (status of [0, 500]) {
    // oxlint-disable-next-line no-await-in-loop
    await assert.rejects(servers.unbind(user, threepid, null), /Failed to contact/);
  }
  status = 200;
  assert.equal(await servers.unbind(user, threepid, null), true);
});

test('a refusal of the identity server is passed on, its failure is not ours to explain', async () => {
  const refused = setUp(() => [403, { errcode: 'M_TERMS_NOT_SIGNED', error: 'Sign the terms' }]);
  await assert.rejects(refused.bind('x.example'), { status: 403, message: 'Sign the terms' });
  const broken = setUp(() => [503, {}]);
  await assert.rejects(broken.bind('x.example'), { status: 502 });
  const odd = setUp(() => [200, { medium: 1 }]);
  await assert.rejects(odd.bind('x.example'), /Failed to contact/);
  for (const name of ['a b', 'a@b', 'a?b', 'a#b', '', 'a/../b?c', 'https://a']) {
    // oxlint-disable-next-line no-await-in-loop
    await assert.rejects(odd.bind(name), /valid hostname/, name);
  }
});
