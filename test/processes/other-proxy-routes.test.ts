import { test } from 'node:test';
import { caddyConfig } from '../../src/routing/proxies/caddy.ts';
import { haproxyConfig } from '../../src/routing/proxies/haproxy.ts';
import {
  checkHidden,
  checkKeys,
  checkPassing,
  checkPools,
  checkRows,
  checkStopped,
  hasProgram,
  startProxy,
  startSubject,
} from '../harness/proxies.ts';

const proxies = [
  {
    name: 'haproxy',
    config: haproxyConfig,
    command: (path: string): [string, ...string[]] => ['haproxy', '-db', '-f', path],
  },
  {
    name: 'caddy',
    config: caddyConfig,
    command: (path: string): [string, ...string[]] => [
      'caddy',
      'run',
      '--adapter',
      'caddyfile',
      '--config',
      path,
    ],
  },
];

for (const { name, config, command } of proxies) {
  const skip = hasProgram(name) ? false : `${name} is not installed`;
  test(`${name} places requests as the router does`, { skip }, async (t) => {
    const subject = await startSubject(t);
    const url = await startProxy(t, subject, config(subject), command);
    await t.test('every path reaches its app', () => checkRows(url, subject));
    await t.test('users, rooms and servers stay with a worker', () => checkKeys(url));
    await t.test('pools are apart', () => checkPools(url));
    await t.test('nothing is changed or believed on the way', () => checkPassing(url));
    await t.test('metrics are hidden', () => checkHidden(url));
    await t.test('a worker that has stopped is gone round', () => checkStopped(url, subject));
  });
}
