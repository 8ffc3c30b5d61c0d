import { test } from 'node:test';
import { nginxConfig } from '../../src/routing/proxies/nginx.ts';
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

const skip = hasProgram('nginx') ? false : 'nginx is not installed';

const wholeConfig = (included: string) => (folder: string) =>
  `
daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path ${folder}/body;
    proxy_temp_path ${folder}/proxy;
    fastcgi_temp_path ${folder}/fastcgi;
    uwsgi_temp_path ${folder}/uwsgi;
    scgi_temp_path ${folder}/scgi;
${included}
}
`;

test('nginx places requests as the router does', { skip }, async (t) => {
  const subject = await startSubject(t);
  const url = await startProxy(t, subject, wholeConfig(nginxConfig(subject)), (path) => [
    'nginx',
    '-e',
    'stderr',
    '-c',
    path,
  ]);
  await t.test('every path reaches its app', () => checkRows(url, subject));
  await t.test('users, rooms and servers stay with a worker', () => checkKeys(url));
  await t.test('pools are apart', () => checkPools(url));
  await t.test('nothing is changed or believed on the way', () => checkPassing(url));
  await t.test('metrics are hidden', () => checkHidden(url));
  await t.test('a worker that has stopped is gone round', () => checkStopped(url, subject));
});
