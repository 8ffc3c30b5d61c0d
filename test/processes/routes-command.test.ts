import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startWorkerSet } from '../harness/topology.ts';

const bin = join(import.meta.dirname, '../../bin/lattice.mjs');

async function lattice(...args: string[]) {
  const child = spawn(process.execPath, [bin, ...args]);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const code = await new Promise((resolve) => {
    child.on('close', resolve);
  });
  return { code, stdout, stderr };
}
const routes = (...args: string[]) => lattice('routes', ...args);

const mainFile = `
server_name: test.example
listeners:
  - {port: 8008, bind_addresses: ['::'], resources: [{names: [client, federation]}]}
redis: {enabled: true}
use_presence: false
routing: {initial_sync: [second]}
`;
const workerFile = (name: string, listener: string) => `
worker_app: synapse.app.generic_worker
worker_name: ${name}
worker_listeners:
  - {${listener}, resources: [{names: [client, federation]}]}
`;

/** As Synapse's manual has it: nothing but media. */
const mediaWorkerFile = `
worker_app: synapse.app.media_repository
worker_name: media
worker_listeners:
  - {port: 8085, resources: [{names: [media]}]}
`;

test('workers by their files, in every format', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'routes-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const given = [
    '-c',
    await file('main.yaml', mainFile),
    '-w',
    await file('first.yaml', workerFile('first', 'port: 8081')),
    '-w',
    await file('second.yaml', workerFile('second', 'port: 8082, bind_addresses: [192.0.2.7]')),
    '-w',
    await file('media.yaml', mediaWorkerFile),
    '--port',
    '8443',
  ];
  for (const [format, ...expected] of [
    [
      'table',
      /^main +main +127\.0\.0\.1:8008/m,
      /^second .* 192\.0\.2\.7:8082 +live +initial_sync/m,
      /^media +media_repository +127\.0\.0\.1:8085/m,
    ],
    ['json', /"id": "first"/],
    ['nginx', /listen 8443;/, /server 127\.0\.0\.1:8081 max_fails/],
    ['haproxy', /bind :8443/, /server second 192\.0\.2\.7:8082 weight 10 check/],
    ['caddy', /^:8443 \{/m, /reverse_proxy 192\.0\.2\.7:8082 \{/],
    ['traefik', /url: http:\/\/192\.0\.2\.7:8082/],
  ] as const) {
    const { code, stdout, stderr } = await routes(...given, '--format', format);
    assert.equal(code, 0, stderr);
    for (const one of expected) assert.match(stdout, one);
  }
  const withoutListener = await file('bad.yaml', 'worker_app: pusher\nworker_name: p\n');
  const refused = await routes('-c', given[1]!, '-w', withoutListener);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /bad\.yaml: no listener without TLS offers `client`/);
  assert.equal((await routes('-c', given[1]!, '--format', 'apache')).code, 1);
  const [main = '', first = '', second = ''] = [given[1], given[3], given[5]];
  const taken = await routes('-c', main, '-w', first, second);
  assert.deepEqual([taken.code, taken.stdout], [1, '']);
  assert.match(taken.stderr, /give each of these with an own -w/);
  const notOne = await routes('-c', main, '-w', main);
  assert.match(notOne.stderr, /main\.yaml: no worker_app/);
});

test('workers that are running', async (t) => {
  const workers = 'workers:\n  generic_worker: 1\n';
  const { set, dataDir, configPaths } = await startWorkerSet('', workers);
  t.after(async () => {
    await set.close();
    await rm(dataDir, { recursive: true });
  });
  const shared = join(dataDir, 'data', 'run', 'shared.yaml');
  const { stdout, stderr } = await routes(...configPaths, shared, '--live');
  assert.match(stdout, /^main +main +unix:\/.* live +default$/m, stderr);
  assert.match(stdout, /^generic_worker1 +generic_worker +unix:\/.* live +default$/m);

  // Whoever started them.
  const elsewhere = join(dataDir, 'elsewhere.yaml');
  await writeFile(elsewhere, `data_dir: ${JSON.stringify(join(dataDir, 'elsewhere'))}\n`);
  const given = [...configPaths, shared, elsewhere].flatMap((path) => ['-c', path]);
  const shown = await lattice('workers', ...given);
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /^worker +state +req\/s .* roles$/m);
  assert.match(shown.stdout, /^main +live .* events×\d+/m);
  assert.match(shown.stdout, /^generic_worker1 +live /m);
});
