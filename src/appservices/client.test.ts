import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAppserviceClient, type AppserviceRequest } from './client.ts';
import { parseRegistration } from './registration-files.ts';

const service = parseRegistration(
  {
    id: 'irc',
    url: 'http://bridge.example',
    as_token: 'as',
    hs_token: 'hs of irc',
    sender_localpart: 'irc',
    namespaces: {},
  },
  'us.test',
);
const request: AppserviceRequest = {
  method: 'GET',
  path: '/users/a',
  legacyPath: '/users/a',
  timeoutMs: 1_000,
};

/** A service that knows these paths. */
function clientOf(known: string[], tokenInQuery = false) {
  const asked: string[] = [];
  const client = createAppserviceClient({
    tokenInQuery,
    outbound: {
      async fetch(url) {
        asked.push(url.replace('http://bridge.example', ''));
        const status = known.includes(new URL(url).pathname) ? 200 : 404;
        return { status, headers: {}, url, body: Buffer.from('{}') };
      },
    },
  });
  return { client, asked, known };
}

test('a service that does not know the paths of today is asked by its own', async () => {
  const old = clientOf(['/users/a']);
  assert.equal((await old.client.ask(service, request)).status, 200);
  assert.deepEqual(old.asked, ['/_matrix/app/v1/users/a', '/users/a']);
  const none = clientOf([]);
  assert.equal((await none.client.ask(service, request)).status, 404);
});

test('a service that knows them is believed when it says no', async () => {
  const { client, asked, known } = clientOf(['/_matrix/app/v1/users/a']);
  assert.equal((await client.ask(service, request)).status, 200);
  known.pop();
  assert.equal((await client.ask(service, request)).status, 404);
  assert.deepEqual(asked, ['/_matrix/app/v1/users/a', '/_matrix/app/v1/users/a']);
});

test('old services want the token in the query', async () => {
  const { client, asked } = clientOf(['/_matrix/app/v1/users/a'], true);
  await client.ask(service, { ...request, query: { nick: 'a b' } });
  assert.deepEqual(asked, ['/_matrix/app/v1/users/a?nick=a+b&access_token=hs+of+irc']);
});
