import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServerDiscovery } from './server-discovery.ts';
import { parseServerName } from './server-name.ts';

/** What the world of a test says; names that are asked are noted. */
function discoveryIn(world: {
  delegated?: Record<string, string>;
  records?: Record<string, { host: string; port: number }[]>;
}) {
  const asked: string[] = [];
  const discovery = createServerDiscovery(
    {
      async delegated(hostname) {
        asked.push(`https ${hostname}`);
        return world.delegated?.[hostname] ?? null;
      },
    },
    {
      async find(name) {
        asked.push(name);
        return world.records?.[name] ?? null;
      },
    },
  );
  return { asked, find: (text: string) => discovery.find(parseServerName(text)!) };
}

const at = (host: string, port: number, hostHeader: string, tlsName: string) => [
  { host, port, hostHeader, tlsName },
];

test('1: an address is used as it is, with its port or 8448, and nobody is asked', async () => {
  const { find, asked } = discoveryIn({});
  assert.deepEqual(await find('192.0.2.1'), at('192.0.2.1', 8448, '192.0.2.1', ''));
  assert.deepEqual(await find('192.0.2.1:80'), at('192.0.2.1', 80, '192.0.2.1:80', ''));
  assert.deepEqual(await find('[2001:db8::1]'), at('2001:db8::1', 8448, '[2001:db8::1]', ''));
  assert.deepEqual(await find('[2001:db8::1]:80'), at('2001:db8::1', 80, '[2001:db8::1]:80', ''));
  assert.deepEqual(asked, []);
});

test('2: a name with a port is used as it is', async () => {
  const { find, asked } = discoveryIn({ delegated: { 'a.example': 'b.example' } });
  assert.deepEqual(await find('a.example:80'), at('a.example', 80, 'a.example:80', 'a.example'));
  assert.deepEqual(asked, []);
});

test('3: .well-known delegates to an address, a name with a port, or a name', async () => {
  const records = {
    '_matrix-fed._tcp.fed.example': [{ host: 'srv.example', port: 1 }],
    '_matrix._tcp.old.example': [{ host: 'srv.example', port: 2 }],
  };
  const find = (to: string) =>
    discoveryIn({ delegated: { 'a.example': to }, records }).find('a.example');
  assert.deepEqual(await find('192.0.2.1'), at('192.0.2.1', 8448, '192.0.2.1', ''));
  assert.deepEqual(await find('192.0.2.1:5'), at('192.0.2.1', 5, '192.0.2.1:5', ''));
  assert.deepEqual(await find('b.example:5'), at('b.example', 5, 'b.example:5', 'b.example'));
  assert.deepEqual(await find('fed.example'), at('srv.example', 1, 'fed.example', 'fed.example'));
  assert.deepEqual(await find('old.example'), at('srv.example', 2, 'old.example', 'old.example'));
  assert.deepEqual(await find('b.example'), at('b.example', 8448, 'b.example', 'b.example'));
});

test('3: what a server is delegated to is not delegated further', async () => {
  const delegated = { 'a.example': 'b.example', 'b.example': 'c.example' };
  const { find, asked } = discoveryIn({ delegated });
  assert.deepEqual(await find('a.example'), at('b.example', 8448, 'b.example', 'b.example'));
  assert.deepEqual(asked, [
    'https a.example',
    '_matrix-fed._tcp.b.example',
    '_matrix._tcp.b.example',
  ]);
});

test('4, 5: without, records lead to a server that must prove to be the name itself', async () => {
  const fed = discoveryIn({
    records: {
      '_matrix-fed._tcp.a.example': [
        { host: 'one.example', port: 1 },
        { host: 'two.example', port: 2 },
      ],
      '_matrix._tcp.a.example': [{ host: 'old.example', port: 3 }],
    },
  });
  assert.deepEqual(await fed.find('a.example'), [
    ...at('one.example', 1, 'a.example', 'a.example'),
    ...at('two.example', 2, 'a.example', 'a.example'),
  ]);
  assert.deepEqual(fed.asked, ['https a.example', '_matrix-fed._tcp.a.example']);
  const old = discoveryIn({
    records: { '_matrix._tcp.a.example': [{ host: 'old.example', port: 3 }] },
  });
  assert.deepEqual(await old.find('a.example'), at('old.example', 3, 'a.example', 'a.example'));
});

test('6: without any, it is port 8448 of the name; a domain may say that there is none', async () => {
  const { find } = discoveryIn({});
  assert.deepEqual(await find('a.example'), at('a.example', 8448, 'a.example', 'a.example'));
  const none = discoveryIn({ records: { '_matrix-fed._tcp.a.example': [] } });
  assert.deepEqual(await none.find('a.example'), []);
});

test('server names have a host and perhaps a port', () => {
  const host = (text: string) => {
    const { hostname = null, port = null } = parseServerName(text) ?? {};
    return [hostname, port];
  };
  assert.deepEqual(host('a.example:80'), ['a.example', 80]);
  assert.deepEqual(host('[::1]:80'), ['::1', 80]);
  for (const none of [
    '',
    'a.example:',
    'a.example:0',
    'a.example:65536',
    '999.1.1.1',
    '[::g]',
    'a/b',
    'a@b',
    '[1.2.3.4]',
  ]) {
    assert.equal(parseServerName(none), null, none);
  }
});
