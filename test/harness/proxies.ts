import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createSocketServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { declaredRows } from '../../src/apps/declared-rows.ts';
import { createToken } from '../../src/accounts/tokens.ts';
import { defaultRoutingSettings, type Pool, type WorkerApp } from '../../src/routing/apps.ts';
import { createClassifier } from '../../src/routing/classify.ts';
import type { ProxySubject } from '../../src/routing/proxies/plan.ts';
import { isOfProcess, routeTable, type RouteRow } from '../../src/routing/table.ts';
import type { UpstreamOptions } from '../../src/routing/upstream.ts';

export const hasProgram = (name: string): boolean =>
  spawnSync('which', [name], { env: searchPath() }).status === 0;

/** Programs of the system are often not in an ordinary user's path. */
const searchPath = () => ({ ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` });

/** A server that answers with its name, and with what it was asked in `X-Seen`. */
async function startNamed(t: TestContext, id: string): Promise<Server> {
  const server = createServer((req, res) => {
    req.resume();
    const { host, 'x-forwarded-for': by, 'x-forwarded-proto': proto } = req.headers;
    res.setHeader('X-Seen', JSON.stringify({ host, by, proto, url: req.url?.slice(0, 200) }));
    res.end(id);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return server;
}

export async function freePort(): Promise<number> {
  const server = createSocketServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

const workers: readonly [string, WorkerApp, Pool[]?][] = [
  ['main', 'main'],
  ['g1', 'generic_worker'],
  ['g2', 'generic_worker'],
  ['g3', 'generic_worker'],
  ['first', 'generic_worker', ['initial_sync']],
  ['login', 'generic_worker', ['registration_login']],
  ['bridge', 'generic_worker', ['bridges']],
  ['media', 'media_repository'],
  ['directory', 'user_dir'],
  ['front', 'frontend_proxy'],
];

export const proxySettings = {
  ...defaultRoutingSettings,
  bridges: { tokens: new Set(['as_of.bridge']), userAgents: ['mautrix-big (x)'] },
};

interface TestSubject extends ProxySubject {
  /** Nothing listens where this server was. */
  stop(id: string): void;
}

/** Named servers for every app, and what a proxy before them is to be configured for. */
export async function startSubject(t: TestContext): Promise<TestSubject> {
  const servers = new Map<string, Server>();
  const upstreams: UpstreamOptions[] = await Promise.all(
    workers.map(async ([id, app, pools]) => {
      const server = await startNamed(t, id);
      servers.set(id, server);
      const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
      return { id, app, address, state: 'live' as const, pools };
    }),
  );
  return {
    stop(id) {
      servers.get(id)!.close();
      servers.get(id)!.closeAllConnections();
    },
    rows: routeTable(declaredRows(), proxySettings),
    settings: proxySettings,
    upstreams,
    port: await freePort(),
    serverName: '_',
    bodyBytesMax: 50 * 1024 * 1024,
  };
}

/** Runs a proxy until the test ends; `args` get the path of the configuration. */
export async function startProxy(
  t: TestContext,
  { port }: ProxySubject,
  config: string | ((folder: string) => string),
  command: (path: string) => [string, ...string[]],
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'proxy-'));
  const path = join(folder, 'config');
  await writeFile(path, typeof config === 'string' ? config : config(folder));
  const [program, ...args] = command(path);
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...searchPath(), HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  const ended = new Promise<void>((resolve) => {
    child.on('exit', () => resolve());
  });
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true });
  });
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    if (child.exitCode !== null) assert.fail(`${program} has ended: ${said}`);
    const answer = await fetch(`${url}/_matrix/client/versions`).catch(() => null);
    if (answer?.status === 200) return url;
    await sleep(20);
  }
}

/** A path of a row with all that is variable filled in. */
function sampleOf({ path }: RouteRow): string {
  const filled = path.replace(/:\w*(?:room|Room)\w*/g, '!r%3Ab').replace(/:\w+/g, 'a%40b');
  return filled.replace(/\/?\*$/, '/x');
}

/** Every row of the table goes to the app that the built-in router would choose. */
export async function checkRows(url: string, subject: ProxySubject): Promise<void> {
  const classify = createClassifier(subject.rows, subject.settings);
  const appOf = new Map(subject.upstreams.map(({ id, app }) => [id, app]));
  const wrong: string[] = [];
  for (const row of subject.rows.filter((one) => !isOfProcess(one))) {
    const path = sampleOf(row);
    const method = row.method ?? 'POST';
    // Some proxies answer these themselves.
    if (method === 'OPTIONS' || path === '/') continue;
    const res = await fetch(`${url}${path}`, { method, body: method === 'GET' ? undefined : '{}' });
    const got = appOf.get(await res.text());
    const { app } = classify(method, path, {});
    if (got !== app) wrong.push(`${method} ${path}: ${got} instead of ${app}`);
  }
  assert.deepEqual(wrong, []);
}

const client = '/_matrix/client/v3';

/** Each list of requests reaches one worker; all lists together reach more than one. */
async function checkSticks(url: string, kinds: [string, RequestInit?][][]): Promise<void> {
  const seen = new Set<string>();
  for (const requests of kinds) {
    const answers = await Promise.all(
      requests.map(async ([path, init]) => (await fetch(`${url}${path}`, init)).text()),
    );
    assert.equal(new Set(answers).size, 1, `${JSON.stringify(requests)}: ${answers.join()}`);
    assert.match(answers[0]!, /^g\d$/);
    seen.add(answers[0]!);
  }
  assert.ok(seen.size > 1, 'more than one worker has work');
}

const numbers = Array.from({ length: 12 }, (_, i) => i);
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

/** Users, rooms and servers stay with a worker. */
export async function checkKeys(url: string): Promise<void> {
  const sync = `${client}/sync?since=s1`;
  await checkSticks(
    url,
    numbers.map((n) => [
      [sync, bearer(createToken('syt', `user${n}`))],
      [sync, bearer(createToken('syt', `user${n}`))],
      [`${client}/events`, bearer(createToken('syt', `user${n}`))],
      [`${sync}&access_token=${createToken('syt', `user${n}`)}`],
    ]),
  );
  await checkSticks(
    url,
    numbers.map((n) => [
      [`${client}/rooms/!r${n}%3Ab/messages?dir=b`],
      [`${client}/rooms/!r${n}:b/messages`, bearer(createToken('syt', `user${n}`))],
      [`/_matrix/client/r0/rooms/%21r${n}%3ab/send/m.x/${n}`, { method: 'PUT', body: '{}' }],
      [`/_matrix/client/api/v1/rooms/!r${n}:b/join`, { method: 'POST', body: '{}' }],
    ]),
  );
  await checkSticks(
    url,
    numbers.map((n) => {
      const signed = (text: string) => ({ headers: { Authorization: `X-Matrix ${text}` } });
      return [
        [`/_matrix/federation/v1/event/$e`, signed(`origin="o${n}.org",key="a",sig="b"`)],
        [`/_matrix/federation/v1/state/!a:b`, signed(`key="c",origin="o${n}.org",sig="d"`)],
        [`/_matrix/federation/v1/state/!c:b`, signed(`key="c",origin=o${n}.org,sig="d"`)],
      ];
    }),
  );
}

/** First syncs, sign-ins and bridges go to their own workers. */
export async function checkPools(url: string): Promise<void> {
  const alice = bearer(createToken('syt', 'alice'));
  const agent = { headers: { 'User-Agent': 'mautrix-big (x)/1' } };
  for (const [path, init, expected] of [
    [`${client}/sync`, alice, 'first'],
    [`${client}/sync?timeout=0`, alice, 'first'],
    [`${client}/initialSync`, alice, 'first'],
    [`${client}/login`, { method: 'POST', body: '{}' }, 'login'],
    [`${client}/rooms/!a:b/send/m.x/1`, bearer('as_of.bridge'), 'bridge'],
    [`${client}/rooms/!a:b/send/m.x/1`, agent, 'bridge'],
    ['/_matrix/media/v3/x', bearer('as_of.bridge'), 'media'],
  ] as const) {
    assert.equal(await (await fetch(`${url}${path}`, init)).text(), expected, path);
  }
  const after = await fetch(`${url}${client}/sync?since=s1`, alice);
  assert.match(await after.text(), /^g\d$/);
}

/** What names of rooms, events and files may contain. */
const hardPaths = [
  [`${client}/rooms/!a%2Fb%3Ac/send/m.room.message/1`, /^g\d$/],
  [`${client}/rooms/!a:c/event/%24abc%2Fdef`, /^g\d$/],
  [`${client}/rooms/!a:c/state/m.x/%2F..%2F..`, /^g\d$/],
  [`${client}/rooms/!a:c/messages?filter=%7B%22a%22:%22/b%22%7D`, /^g\d$/],
  [`${client}/directory/room/%23al%25ias%3Fx%5Cy%3Bz%20%22%7C%5E%3Ahost`, /^g\d$/],
  ['/_matrix/media/v3/download/host/abc/na%20me%2F.png', /^media$/],
  [`${client}/sync?since=s1&filter=${'x'.repeat(12_000)}`, /^g\d$/],
] as const;

/** Paths arrive as they were sent, and who sends them cannot say that it is somebody else. */
export async function checkPassing(url: string): Promise<void> {
  for (const [path, expected] of hardPaths) {
    const res = await fetch(`${url}${path}`);
    assert.match(await res.text(), expected, path);
    const seen = JSON.parse(res.headers.get('x-seen')!) as { url: string };
    assert.equal(seen.url, path.slice(0, 200));
  }
  const headers = { 'X-Forwarded-For': '192.0.2.6', 'X-Forwarded-Proto': 'https' };
  const res = await fetch(`${url}${client}/account/whoami`, { headers });
  assert.deepEqual(JSON.parse(res.headers.get('x-seen')!), {
    host: new URL(url).host,
    by: '127.0.0.1',
    proto: 'http',
    url: `${client}/account/whoami`,
  });
}

/** Metrics of workers are for nobody outside. */
export async function checkHidden(url: string): Promise<void> {
  for (const path of ['/metrics', '/_synapse/metrics', '/_synapse/metric%73', '/metrics/']) {
    assert.equal((await fetch(`${url}${path}`)).status, 404, path);
  }
}

/** What would go to a worker that has stopped goes to another. */
export async function checkStopped(url: string, subject: TestSubject): Promise<void> {
  subject.stop('g1');
  for (const method of ['GET', 'POST']) {
    for (const n of numbers) {
      const path = `${client}/rooms/!r${n}:b/${method === 'GET' ? 'messages' : 'join'}`;
      const body = method === 'GET' ? undefined : '{}';
      const res = await fetch(`${url}${path}`, { method, body });
      assert.match(await res.text(), /^g[23]$/, `${method} ${path}: ${res.status}`);
    }
  }
}
