import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { createLog } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import { bindEndpoints, clientPaths } from './endpoint.ts';
import { endpointTable } from './endpoint-table.ts';
import { serverEndpoints } from './endpoints.ts';
import { createHttpMetrics } from './http-metrics.ts';
import { openApiOf } from './openapi.ts';
import { createRateLimiter } from './rate-limiter.ts';
import { createHttpServer } from './server.ts';
import { base, declare, loopback } from './test-server.ts';

const sent = declare({
  ...base,
  auth: 'user',
  operation: 'sendMessage',
  method: 'PUT',
  paths: clientPaths('/rooms/:roomId/send/:type'),
  rateLimit: 'message',
  runsOn: { group: 'event_sending', balance: 'room' },
  source: 'CS',
  query: Type.Object({ ts: Type.Optional(Type.Integer()) }),
  body: Type.Object({ body: Type.String() }),
  errors: ['M_FORBIDDEN', 'M_GUEST_ACCESS_FORBIDDEN'],
  handle: () => ({}),
});

test('the table has a row for each path; its patterns match what the router matches', () => {
  const rows = endpointTable(bindEndpoints([sent], null));
  assert.equal(rows.length, 4);
  assert.deepEqual(
    rows.map(({ path }) => path),
    rows.map(({ path }) => path).sort(),
  );
  const newest = rows.filter(({ isOld }) => !isOld);
  assert.equal(newest.length, 1);
  const { path, pattern, group, balance, rateLimit } = newest[0]!;
  assert.equal(path, '/_matrix/client/v3/rooms/:roomId/send/:type');
  assert.deepEqual([group, balance, rateLimit], ['event_sending', 'room', 'message']);
  assert.match('/_matrix/client/v3/rooms/!a%2Fb:c.d/send/m.x', new RegExp(pattern));
  assert.doesNotMatch('/_matrix/client/v3/rooms/!a/b/send/m.x', new RegExp(pattern));
  assert.doesNotMatch('/_matrix/client/v3/rooms/!a/send/m.x/t', new RegExp(pattern));
});

test('the OpenAPI description names parameters, bodies, errors, and each operation once', () => {
  const { paths } = openApiOf(bindEndpoints([sent], null), '1.0') as {
    paths: Record<string, Record<string, Record<string, unknown>>>;
  };
  const operation = paths['/_matrix/client/v3/rooms/{roomId}/send/{type}']!['put']!;
  const parameters = operation['parameters'] as { name: string; in: string }[];
  assert.deepEqual(
    parameters.map((parameter) => `${parameter.in} ${parameter.name}`),
    ['path roomId', 'path type', 'query ts'],
  );
  assert.ok(operation['requestBody']);
  assert.deepEqual(operation['security'], [{ accessToken: [] }]);
  const responses = operation['responses'] as Record<string, { description: string }>;
  assert.equal(responses['403']!.description, 'M_FORBIDDEN, M_GUEST_ACCESS_FORBIDDEN');
  const ids = Object.values(paths).flatMap((item) =>
    Object.values(item).map((one) => one['operationId']),
  );
  assert.equal(new Set(ids).size, 4);
});

async function start(isAnnounced: boolean) {
  const metrics = new Metrics();
  const endpoints = serverEndpoints({
    metrics,
    publicBaseUrl: isAnnounced ? 'https://matrix.example' : null,
    wellKnownServer: isAnnounced ? 'matrix.example:443' : null,
    wellKnownClient: { 'm.identity_server': { base_url: 'https://id.example' } },
    support: isAnnounced ? { support_page: 'https://help.example' } : null,
    policyServerKeys: isAnnounced ? { ed25519: 'key' } : null,
    describe: () => ({ openapi: '3.1.0' }),
  });
  const listener = { ...loopback, resources: ['client', 'metrics', 'health', 'admin'] as const };
  const server = createHttpServer([listener], endpoints, {
    authenticate: () => assert.fail('nobody is asked for a token'),
    authenticateServer: () => assert.fail('no server is asked for a signature'),
    limiter: createRateLimiter({}, { now: () => 0 }),
    log: createLog('error'),
    metrics: createHttpMetrics(metrics),
  });
  const [url] = await server.listen();
  return { server, ask: (path: string) => fetch(url + path) };
}

test('well-known documents come from the configuration', async (t) => {
  const { server, ask } = await start(true);
  t.after(() => server.close(0));
  const client = await ask('/.well-known/matrix/client');
  assert.equal(client.headers.get('access-control-allow-origin'), '*');
  assert.deepEqual(await client.json(), {
    'm.homeserver': { base_url: 'https://matrix.example/' },
    'm.identity_server': { base_url: 'https://id.example' },
  });
  assert.deepEqual(await (await ask('/.well-known/matrix/server')).json(), {
    'm.server': 'matrix.example:443',
  });
  assert.deepEqual(await (await ask('/.well-known/matrix/support')).json(), {
    support_page: 'https://help.example',
  });
});

test('what is not configured is not found', async (t) => {
  const { server, ask } = await start(false);
  t.after(() => server.close(0));
  for (const name of ['client', 'server', 'support', 'policy_server']) {
    assert.equal((await ask(`/.well-known/matrix/${name}`)).status, 404, name);
  }
});

test('versions, health, metrics, description and the page for people', async (t) => {
  const { server, ask } = await start(true);
  t.after(() => server.close(0));
  const { versions, unstable_features: features } = (await (
    await ask('/_matrix/client/versions')
  ).json()) as { versions: string[]; unstable_features: Record<string, boolean> };
  assert.ok(versions.includes('v1.11'));
  assert.ok(Object.values(features).every((value) => typeof value === 'boolean'));
  assert.equal(await (await ask('/health')).text(), 'OK');
  for (const path of ['/metrics', '/_synapse/metrics']) {
    const response = await ask(path);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=/);
    assert.match(await response.text(), /^process_resident_memory_bytes /m);
  }
  assert.deepEqual(await (await ask('/_lattice/openapi.json')).json(), { openapi: '3.1.0' });
  const page = await ask('/');
  assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
  assert.match(await page.text(), /Matrix/);
});
