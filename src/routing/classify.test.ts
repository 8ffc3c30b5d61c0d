import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EndpointRow } from '../http/endpoint-table.ts';
import { createToken } from '../accounts/tokens.ts';
import { defaultRoutingSettings, type RoutingSettings } from './apps.ts';
import { createClassifier } from './classify.ts';
import { routeTable } from './table.ts';

const classifier = (settings: Partial<RoutingSettings> = {}, declared: EndpointRow[] = []) => {
  const all = { ...defaultRoutingSettings, ...settings };
  return createClassifier(routeTable(declared, all), all);
};
const classify = classifier();
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const client = '/_matrix/client/v3';

test('syncs go by user, however the user is shown', () => {
  const alice = createToken('syt', 'alice');
  const url = `${client}/sync?since=s1`;
  for (const [to, headers] of [
    [url, bearer(alice)],
    [url, bearer(createToken('syt', 'alice'))],
    [`${url}&access_token=${alice}`, {}],
    [`${client}/sync?access_token=${alice}&since=s1`, {}],
    [`${url}&user_id=%40alice%3Ahs`, bearer('as_token')],
  ] as const) {
    const { group, app, key } = classify('GET', to, headers);
    assert.deepEqual([group, app, key], ['sync', 'generic_worker', 'alice'], to);
  }
  assert.equal(classify('GET', url, bearer('mat_opaque')).key, 'mat_opaque');
  assert.equal(classify('GET', url, {}).key, null);
  assert.equal(classify('GET', url, bearer(createToken('syt', 'jürgen_1'))).key, 'jürgen_1');
});

test('first syncs are apart', () => {
  for (const [url, group] of [
    ['/sync', 'initial_sync'],
    ['/sync?timeout=0&filter=%7B%22since%22%3A1%7D', 'initial_sync'],
    ['/sync?full_state=true&since=s1', 'sync'],
    ['/sync?sincere=1', 'initial_sync'],
    ['/events', 'sync'],
    ['/initialSync', 'initial_sync'],
    ['/rooms/!a:b/initialSync', 'initial_sync'],
  ] as const) {
    assert.equal(classify('GET', `${client}${url}`, {}).group, group, url);
  }
  assert.equal(classify('GET', `${client}/sync`, {}).pool, 'initial_sync');
  const sliding = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync';
  assert.equal(classify('POST', sliding, {}).group, 'initial_sync');
  assert.equal(classify('POST', `${sliding}?pos=1`, {}).group, 'sync');
});

test('sends and pages go by room, however it is written', () => {
  for (const room of ['!a:b', '!a%3Ab', '%21a%3ab']) {
    for (const path of ['send/m.room.message/1', 'messages?dir=b', 'state/m.room.name/', 'join']) {
      const { key, balance } = classify('PUT', `${client}/rooms/${room}/${path}`, {});
      assert.deepEqual([key, balance], ['!a:b', 'room'], path);
    }
  }
  assert.equal(classify('GET', `${client}/rooms/!a:b/messages`, {}).group, 'pagination');
  assert.equal(classify('POST', `${client}/join/%23a%3Ab?via=c`, {}).key, '#a:b');
});

test('servers go by the name they sign with, or by address', () => {
  const url = '/_matrix/federation/v1/send/1';
  const signed = (text: string) => ({ authorization: `X-Matrix ${text}` });
  for (const text of [
    'origin="Other.org",key="ed25519:1",sig="x"',
    'origin=other.org,destination="a",key="ed25519:1",sig="x"',
    'key="ed25519:1",sig="x",origin="other.org"',
    'key="ed25519:1", origin = "other.org"',
  ]) {
    const { group, key } = classify('PUT', url, signed(text), '192.0.2.1');
    assert.deepEqual([group, key], ['federation_inbound', 'other.org'], text);
  }
  assert.equal(classify('PUT', url, {}, '192.0.2.1').key, '192.0.2.1');
  assert.equal(classify('PUT', url, signed('xorigin="a"'), '192.0.2.1').key, '192.0.2.1');
});

test('sign-in and sign-up have a pool', () => {
  for (const path of ['/login', '/register']) {
    const { pool, key } = classify('POST', `${client}${path}`, {});
    assert.deepEqual([pool, key], ['registration_login', null]);
  }
});

test('bridges have a pool, known by token or user agent', () => {
  const bridges = { tokens: new Set(['as_1']), userAgents: ['mautrix-'] };
  const placed = classifier({ bridges });
  const url = `${client}/rooms/!a:b/send/m.room.message/1`;
  assert.equal(placed('PUT', url, bearer('as_1')).pool, 'bridges');
  assert.equal(placed('PUT', `${url}?access_token=as_1`, {}).pool, 'bridges');
  assert.equal(placed('PUT', url, { 'user-agent': 'mautrix-x/1' }).pool, 'bridges');
  assert.equal(placed('PUT', url, bearer('as_2')).pool, 'default');
  assert.equal(placed('POST', '/_matrix/media/v3/upload', bearer('as_1')).pool, 'default');
});

test('without presence its requests go to the front', () => {
  const url = `${client}/presence/@a:b/status`;
  assert.equal(classify('PUT', url, {}).app, 'generic_worker');
  assert.equal(classifier({ isPresenceEnabled: false })('PUT', url, {}).app, 'frontend_proxy');
});

test('what nobody knows goes to the main process', () => {
  for (const url of ['/', '/x?y', '/_matrix/client/v3/unknown', '/%ZZ', '*', '']) {
    const { app, resource, isRepeatable } = classify('GET', url, {});
    assert.deepEqual([app, resource, isRepeatable], ['main', null, false], url);
  }
});

test('only what has its effect once may be sent twice', () => {
  for (const [method, path, expected] of [
    ['GET', '/sync', true],
    ['HEAD', '/sync', true],
    ['PUT', '/rooms/!a:b/send/m.room.message/1', true],
    ['PUT', '/rooms/!a:b/redact/$e/1', true],
    ['POST', '/rooms/!a:b/send/m.room.message', false],
    ['PUT', '/rooms/!a:b/state/m.room.name/', false],
    ['POST', '/login', false],
    ['DELETE', '/devices', false],
  ] as const) {
    assert.equal(classify(method, `${client}${path}`, {}).isRepeatable, expected, path);
  }
});

test('declared endpoints come before what is planned, methods apart', () => {
  const row: EndpointRow = {
    operation: 'getDevices',
    method: 'GET',
    path: `${client}/devices`,
    pattern: '',
    auth: 'user',
    rateLimit: 'none',
    resource: 'client',
    group: 'account_data',
    balance: 'user',
    summary: '',
    source: '',
    isOld: false,
  };
  const probe = { ...row, operation: 'health', path: '/health', resource: 'health' } as const;
  const placed = classifier({}, [row, probe]);
  assert.equal(placed('GET', `${client}/devices`, {}).group, 'account_data');
  assert.equal(placed('POST', `${client}/devices`, {}).group, 'client');
  assert.equal(placed('GET', '/health', {}).resource, 'health');
});

test('nothing that can be sent makes it throw', () => {
  const parts =
    '/ _matrix client v3 rooms % %E0%A4 %ZZ %00 ? & = # since access_token sync send .. // : * ; syt_';
  const part = fc.constantFrom('\u00ff', ...parts.split(' '));
  const text = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, text, fc.constantFrom('GET', 'PUT', 'OPTIONS', 'X'), (url, value, method) => {
      for (const authorization of [`Bearer ${value}`, `X-Matrix origin=${value}`, value]) {
        for (const path of [url, `${client}/sync?${url}`, `${client}/rooms/${url}/messages`]) {
          assert.ok(classify(method, path, { authorization, 'user-agent': value }).app);
        }
      }
    }),
    { numRuns: 1000 },
  );
});
