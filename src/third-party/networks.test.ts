import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAppserviceClient } from '../appservices/client.ts';
import type { AppserviceRegistration } from '../appservices/registrations.ts';
import { createLog } from '../kernel/log.ts';
import { createNetworks } from './networks.ts';

const service = (id: string, protocols: string[]): AppserviceRegistration => ({
  id,
  url: `http://${id}.example`,
  asToken: 'as',
  hsToken: `hs of ${id}`,
  sender: `@${id}:example.org`,
  namespaces: { users: [], aliases: [], rooms: [] },
  rateLimited: false,
  protocols,
  receivesEphemeral: false,
  usesUnstableEphemeral: false,
  receivesDeviceUpdates: false,
  managesDevices: false,
});

function networksOf(answers: Record<string, unknown>) {
  const asked: { url: string; authorization: string }[] = [];
  let now = 0;
  const networks = createNetworks({
    registrations: {
      all: [service('one', ['irc']), service('two', ['irc', 'xmpp']), service('none', [])],
    },
    clock: { now: () => now },
    log: createLog('error', { write: () => undefined }),
    client: createAppserviceClient({
      tokenInQuery: false,
      outbound: {
        async fetch(url, request) {
          asked.push({ url, authorization: request!.headers!['Authorization']! });
          if (answers[url] === undefined) throw new Error('unreachable');
          return { status: 200, headers: {}, url, body: Buffer.from(JSON.stringify(answers[url])) };
        },
      },
    }),
  });
  return { networks, asked, pass: (ms: number) => (now += ms) };
}

const irc = (host: string) => ({ user_fields: ['nick'], instances: [{ network_id: host }] });

test('networks of several bridges are put together; a dead bridge is left out', async () => {
  const base = '_matrix/app/v1/thirdparty/protocol';
  const { networks, asked, pass } = networksOf({
    [`http://one.example/${base}/irc`]: irc('a'),
    [`http://two.example/${base}/irc`]: irc('b'),
  });
  const protocols = await networks.protocols();
  assert.deepEqual(Object.keys(protocols), ['irc']);
  assert.deepEqual(protocols['irc']!.instances, [
    { network_id: 'a', instance_id: 'one|a' },
    { network_id: 'b', instance_id: 'two|b' },
  ]);
  assert.equal(asked[0]!.authorization, 'Bearer hs of one');
  await networks.protocols(['irc']);
  assert.equal(asked.length, 3, 'descriptions are remembered');
  pass(2 * 60 * 60 * 1000);
  await networks.protocols(['irc']);
  assert.equal(asked.length, 5, 'but not for ever');
});

test('look-ups go to bridges of the network; what makes no sense is left out', async () => {
  const query = '?nick=a+b';
  const { networks, asked } = networksOf({
    [`http://one.example/_matrix/app/v1/thirdparty/user/irc${query}`]: [
      { userid: '@irc_a:example.org', protocol: 'irc', fields: { nick: 'a b' } },
      { protocol: 'irc' },
      'nonsense',
    ],
    [`http://two.example/_matrix/app/v1/thirdparty/user/irc${query}`]: { error: 'no list' },
  });
  assert.deepEqual(await networks.look('user', 'irc', { nick: 'a b' }), [
    { userid: '@irc_a:example.org', protocol: 'irc', fields: { nick: 'a b' } },
  ]);
  assert.deepEqual(await networks.look('user', 'gopher', {}), []);
  assert.deepEqual(await networks.look('location', null, { alias: '#a:b' }), []);
  assert.equal(asked.length, 4);
});
