import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { declaredRows } from '../../apps/declared-rows.ts';
import { defaultRoutingSettings, type Pool, type WorkerApp } from '../apps.ts';
import { createClassifier } from '../classify.ts';
import { isOfProcess, routeTable } from '../table.ts';
import type { UpstreamOptions } from '../upstream.ts';
import { caddyConfig } from './caddy.ts';
import { haproxyConfig } from './haproxy.ts';
import { routesJson, routesText } from './listing.ts';
import { nginxConfig } from './nginx.ts';
import { planProxy, type ProxySubject } from './plan.ts';
import { traefikConfig } from './traefik.ts';

const worker = (id: string, app: WorkerApp, pools?: Pool[]): UpstreamOptions => ({
  id,
  app,
  address: { host: id, port: 80 },
  state: 'live',
  pools,
});
const every = [
  worker('main', 'main'),
  worker('g1', 'generic_worker'),
  worker('g2', 'generic_worker', ['initial_sync']),
  worker('g3', 'generic_worker', ['bridges']),
  worker('r', 'media_repository'),
  worker('u', 'user_dir'),
  worker('f', 'frontend_proxy'),
];
const settings = {
  ...defaultRoutingSettings,
  bridges: { tokens: new Set(['to.ken']), userAgents: ['big'] },
};
const rows = routeTable(declaredRows(), settings);
const routed = rows.filter((row) => !isOfProcess(row));
const subject = (upstreams: readonly UpstreamOptions[] = every): ProxySubject => ({
  rows,
  settings,
  upstreams,
  port: 8080,
  serverName: '_',
  bodyBytesMax: 1000,
});
const classify = createClassifier(rows, settings);

/** A request for each row. */
const samples = routed.map(({ method, path }) => ({
  method: method ?? 'POST',
  path: path.replace(/:\w+/g, '!a%3Ab').replace(/\/?\*$/, '/x'),
}));

test('the first rule that fits is what the classifier finds', () => {
  const { rules, fallback } = planProxy(subject());
  for (const { method, path } of samples) {
    const found = rules.find(
      (rule) => (rule.method ?? method) === method && new RegExp(`^${rule.pattern}`).test(path),
    );
    const { app, pool, balance } = classify(method, path, {});
    const traffic = found?.class;
    const target = (pool === 'initial_sync' && traffic?.first) || traffic?.target || fallback;
    const apps = new Set(target.servers.map((one) => one.app));
    assert.deepEqual(apps, new Set([app]), `${method} ${path}`);
    if (found) assert.equal(target.balance, balance, `${method} ${path}`);
  }
});

test('an app without a worker is served by the next', () => {
  const { targets } = planProxy(subject([worker('m', 'main'), worker('g', 'generic_worker')]));
  const served = new Set(targets.flatMap(({ servers }) => servers.map(({ app }) => app)));
  assert.deepEqual(served, new Set(['main', 'generic_worker']));
  const alone = planProxy(subject([worker('m', 'main')]));
  assert.ok(alone.targets.every(({ servers }) => servers[0]!.id === 'm'));
});

test('names of targets say app, pool and key', () => {
  const { targets } = planProxy(subject());
  const names = targets.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of [
    'main',
    'generic_worker_by_user',
    'generic_worker_initial_sync_by_user',
    'generic_worker_bridges_by_room',
    'media_repository',
  ]) {
    assert.ok(names.includes(name), name);
  }
});

test('Traefik: the router with the highest priority is what the classifier finds', () => {
  const { http } = parse(traefikConfig(subject())) as {
    http: {
      routers: Record<string, { rule: string; service: string; priority: number }>;
      services: Record<string, { loadBalancer: { servers: { url: string }[] } }>;
    };
  };
  const routers = Object.values(http.routers);
  assert.equal(new Set(routers.map(({ priority }) => priority)).size, routers.length);
  const ordered = routers
    .filter(({ rule }) => !/Header|Query/.test(rule))
    .sort((a, b) => b.priority - a.priority);
  for (const { method, path } of samples) {
    const found = ordered.find(({ rule }) => {
      const pattern = /PathRegexp\(`([^`]+)`\)/.exec(rule)?.[1] ?? '^/';
      const wanted = /Method\(`(\w+)`\)/.exec(rule)?.[1] ?? method;
      return wanted === method && new RegExp(pattern).test(path);
    })!;
    const [server] = http.services[found.service]!.loadBalancer.servers;
    const { app } = every.find(({ id }) => `http://${id}:80` === server!.url)!;
    assert.equal(app, classify(method, path, {}).app, `${method} ${path}`);
  }
  assert.ok(
    routers.some(({ rule, service }) => /as_|to\.ken/.test(rule) && /bridges/.test(service)),
  );
  const socket = { ...worker('s', 'main'), address: { socketPath: '/s' } };
  assert.throws(() => traefikConfig(subject([socket])), /unix sockets/);
});

test('addresses, weights and workers that drain', () => {
  const upstreams: UpstreamOptions[] = [
    { ...worker('six', 'main'), address: { host: '::1', port: 81 }, weight: 3 },
    { ...worker('sock', 'main'), address: { socketPath: '/run/w.sock' }, state: 'draining' },
  ];
  const nginx = nginxConfig(subject(upstreams));
  assert.match(nginx, /server \[::1\]:81 weight=3 max_fails/);
  assert.match(nginx, /server unix:\/run\/w\.sock down max_fails/);
  const haproxy = haproxyConfig(subject(upstreams));
  assert.match(haproxy, /server six \[::1\]:81 weight 30 check/);
  assert.match(haproxy, /server sock unix@\/run\/w\.sock .* disabled/);
  assert.match(caddyConfig(subject(upstreams)), /reverse_proxy \[::1\]:81 unix\/\/run\/w\.sock \{/);
});

test('secrets of bridges are only where they are needed', () => {
  for (const print of [nginxConfig, haproxyConfig, caddyConfig, traefikConfig]) {
    const others = every.filter(({ pools }) => !pools?.includes('bridges'));
    assert.match(print(subject()), /to\\?\.ken/, print.name);
    assert.doesNotMatch(print(subject(others)), /to\\?\.ken/, print.name);
  }
});

test('the table for people and for programs', () => {
  const text = routesText(subject());
  assert.match(text, /^METHOD +PATH +GROUP +APP +TOGETHER BY +ENDPOINT\n/);
  assert.match(
    text,
    /\nPUT +\/_matrix\/client\/v3\/rooms\/:roomId\/send\/:eventType\/:txnId +event_sending +generic_worker +room +sendMessage\n/,
  );
  assert.match(text, /\ng2 +generic_worker +g2:80 +live +initial_sync\n/);
  const { routes, workers } = JSON.parse(routesJson(subject())) as Record<string, unknown[]>;
  assert.deepEqual([routes!.length, workers!.length], [routed.length, every.length]);
});
