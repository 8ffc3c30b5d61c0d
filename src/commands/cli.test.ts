import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { verifyPassword } from '../accounts/password-hash.ts';
import { loadConfig } from '../config/config.ts';
import { generateSigningKeyLine } from '../matrix/signing.ts';

const bin = join(import.meta.dirname, '../../bin/lattice.mjs');

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lattice-cli-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function run(args: readonly string[], input = '') {
  const child = spawn(process.execPath, [bin, ...args], { cwd: folder });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

const commands = [
  'serve',
  'up',
  'scale',
  'roll',
  'workers',
  'check-config',
  'generate-config',
  'register-user',
  'hash-password',
  'generate-signing-key',
  'import-synapse',
  'doctor',
  'routes',
  'router',
  'config-reference',
  'version',
];

describe('every command', () => {
  for (const command of commands) {
    it(`${command} has --help`, async () => {
      const { code, stdout } = await run([command, '--help']);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^Usage: lattice ${command}`));
    });
  }
});

describe('generate-config', () => {
  it('writes a private configuration and key, which are good, and never overwrites them', async () => {
    const args = ['generate-config', '--server-name', 'a.org', '--data-dir', 'made', '--port', '0'];
    assert.equal((await run(args)).code, 0);
    const path = join(folder, 'made', 'homeserver.yaml');
    const { config, warnings } = await loadConfig([path]);
    assert.deepEqual(warnings, []);
    assert.equal(config.serverName, 'a.org');
    assert.equal(config.accounts.registration.isEnabled, false);
    for (const file of [path, config.signingKeyPath]) {
      assert.equal((await stat(file)).mode & 0o777, 0o600, file);
    }
    const again = await run(args);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /exists already/);
  });

  it('what is commented out is right as well', async () => {
    const path = join(folder, 'uncommented.yaml');
    const text = await readFile(join(folder, 'made', 'homeserver.yaml'), 'utf8');
    await writeFile(path, text.replaceAll(/^# ((?:[a-z_]+:| {2}).*)$/gm, '$1'));
    const { config, warnings } = await loadConfig([path]);
    assert.deepEqual(warnings, []);
    assert.equal(config.accounts.registration.requiresToken, true);
    assert.ok(config.database);
  });

  it('--open has no limits, and stays on this machine', async () => {
    const args = ['generate-config', '--server-name', 'a.org', '--open'];
    const refused = await run([...args, '--data-dir', 'far', '--address', '0.0.0.0']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /loopback/);
    assert.equal((await run([...args, '--data-dir', 'open', '--address', '127.9.8.7'])).code, 0);
    const path = join(folder, 'open', 'homeserver.yaml');
    const { config } = await loadConfig([path]);
    assert.equal(config.accounts.registration.isEnabled, true);
    assert.deepEqual(
      Object.values(config.rateLimits).filter((limit) => limit !== null),
      [],
    );
    const far = join(folder, 'far.yaml');
    await writeFile(far, 'listeners: [{port: 0, bind_addresses: [0.0.0.0]}]');
    await assert.rejects(loadConfig([path, far]), /only_on_loopback/);
  });

  it('refuses what would be no good, and writes nothing', async () => {
    const refusals: [args: string[], complaint: string][] = [
      [
        ['--server-name', 'Bad Name'],
        'server_name: must be a server name (lower case, no scheme, no path), not Bad Name',
      ],
      [
        ['--server-name', 'a.org', '--database-url', 'mysql://me:hunter2@h/x'],
        'database.url: must be a URL that begins with postgresql://; what is there is not shown',
      ],
    ];
    for (const [args, complaint] of refusals) {
      // oxlint-disable-next-line no-await-in-loop
      const { code, stderr } = await run(['generate-config', ...args, '--data-dir', 'refused']);
      assert.deepEqual({ code, stderr }, { code: 1, stderr: `${complaint}\n` });
      assert.deepEqual(readdirSync(join(folder, 'refused')), []);
    }
  });

  it('ends where it may not write', { skip: process.platform !== 'linux' }, async () => {
    const args = ['generate-config', '--server-name', 'a.org', '--data-dir', '/proc/lattice'];
    const { code, stderr } = await run(args);
    assert.equal(code, 1);
    assert.match(stderr, /^the folder \/proc\/lattice cannot be made: /);
  });

  it('takes a database', async () => {
    const url = 'postgresql://a:b@localhost/c';
    const args = ['--server-name', 'a.org', '--data-dir', 'pg', '--database-url', url];
    assert.equal((await run(['generate-config', ...args])).code, 0);
    const text = await readFile(join(folder, 'pg', 'homeserver.yaml'), 'utf8');
    assert.deepEqual((parse(text) as { database: unknown }).database, { url });
  });
});

describe('check-config', () => {
  it('ends with 2 and tells file, line, option and what is allowed', async () => {
    await writeFile(join(folder, 'bad.yaml'), 'server_name: a.org\nlog_level: loud\n');
    for (const args of [['bad.yaml'], ['--config-path', 'bad.yaml']]) {
      const { code, stderr } = await run(['check-config', ...args]);
      assert.equal(code, 2);
      assert.equal(
        stderr,
        'bad.yaml:2: log_level: must be one of debug, info, warn, error, not "loud"\n',
      );
    }
    assert.equal((await run(['serve', '--config-path', 'bad.yaml'])).code, 2);
  });

  it('warns of unknown options', async () => {
    await writeFile(join(folder, 'odd.yaml'), 'server_name: a.org\nlog_levle: info\n');
    const { code, stdout } = await run(['check-config', 'odd.yaml']);
    assert.equal(code, 0);
    assert.match(stdout, /odd\.yaml:2: log_levle: .*did you mean log_level\?/);
  });

  it('warns also when something is wrong', async () => {
    await writeFile(join(folder, 'both.yaml'), 'server_name: a.org\nlog_levle: 1\npid_file: 1\n');
    const { code, stdout, stderr } = await run(['check-config', 'both.yaml']);
    assert.equal(code, 2);
    assert.match(stdout, /^warning: both\.yaml:2: log_levle: /);
    assert.match(stderr, /^both\.yaml:3: pid_file: /);
  });
});

describe('doctor', () => {
  const file = (name: string, content: string) => writeFile(join(folder, name), content);

  it('says what would keep the server from running, and what one should know', async () => {
    await file('weak.key', 'no key\n');
    await file(
      'ill.yaml',
      'server_name: a.org\nsigning_key_path: weak.key\nreport_stats: false\n' +
        'listeners: [{path: /nowhere/http.sock}]\napp_service_config_files: [/nowhere/a.yaml]\n' +
        'redis: {enabled: true, path: /nowhere/redis.sock}\n',
    );
    const { code, stdout } = await run(['doctor', 'ill.yaml']);
    assert.equal(code, 1);
    for (const line of [
      /^BAD {3}the signing key weak\.key: a signing key is one line/m,
      /^BAD {3}a socket cannot be made at \/nowhere\/http\.sock/m,
      /^BAD {3}application service file \/nowhere\/a\.yaml/m,
      /^BAD {3}Redis cannot be used: .*ENOENT/m,
      /^note {2}without effect yet: report_stats$/m,
    ]) {
      assert.match(stdout, line);
    }
  });

  it('is content with a configuration that has options without effect', async () => {
    const key = `signing_key: ${generateSigningKeyLine('a_1')}`;
    const listeners = 'listeners: [{port: 0}]';
    await file('well.yaml', `server_name: a.org\n${listeners}\nreport_stats: false\n${key}\n`);
    const { code, stdout } = await run(['doctor', 'well.yaml']);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^note {2}without effect yet: report_stats$/m);
  });
});

describe('keys and hashes', () => {
  it('hash-password asks twice, and takes the pepper of a configuration', async () => {
    await writeFile(
      join(folder, 'pepper.yaml'),
      'server_name: a.org\npassword_config: {pepper: salt}\n',
    );
    const { stdout } = await run(['hash-password', '-c', 'pepper.yaml'], ' word \n word \n');
    const hash = stdout.trim().split('\n').at(-1)!;
    assert.equal((await verifyPassword(' word ', 'salt', hash)).ok, true);
    const slip = await run(['hash-password'], 'word\nwrod\n');
    assert.equal(slip.code, 1);
    assert.match(slip.stderr, /differ/);
    const empty = await run(['hash-password'], '\n\n');
    assert.equal(empty.code, 1);
    assert.equal(empty.stderr, 'the password must not be empty\n');
    const short = await run(['hash-password'], 'word\n');
    assert.equal(short.code, 1);
    assert.match(short.stderr, /the input ended before everything was answered/);
  });

  it('generate-signing-key prints a key', async () => {
    const { stdout } = await run(['generate-signing-key']);
    assert.match(stdout, /^ed25519 a_[A-Za-z]{4} [A-Za-z0-9+/]{43}\n$/);
  });

  it('version', async () => {
    assert.match((await run(['version'])).stdout, /^lattice \d+\.\d+\.\d+, Node\.js v\d+/);
  });
});

/** Resolves with the URL when the server answers. */
async function urlOf(child: ChildProcess): Promise<{ url: string; output: () => string }> {
  let output = '';
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  child.stdout!.on('data', (chunk) => {
    output += String(chunk);
    const match = /^ready (\S+)$/m.exec(output);
    if (match) resolve(match[1]!);
  });
  child.once('exit', (code) => reject(new Error(`ended with ${code}: ${output}`)));
  return { url: await promise, output: () => output };
}

/** Resolves when there is no such file any more. */
async function gone(path: string): Promise<void> {
  while (existsSync(path)) await setTimeout(20);
}

describe('serve', () => {
  const path = 'made/homeserver.yaml';
  const inherit = ['ignore', 'pipe', 'inherit'] as const;

  it('says how to make the first admin, registers, and stops on SIGTERM', async () => {
    const args = [bin, 'serve', '--config-path', path];
    const child = spawn(process.execPath, args, { cwd: folder, stdio: [...inherit] });
    const { url, output } = await urlOf(child);
    assert.match(output(), /register-user --admin --config-path made\/homeserver\.yaml/);
    assert.equal(output().match(/^ready /gm)?.length, 1);

    const registering = ['register-user', '-c', path, '-u', 'ann', '-p', 'pw', '-a', url];
    const registered = await run(registering);
    assert.equal(registered.stdout, 'registered @ann:a.org\n', registered.stderr);
    const again = await run(registering);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /M_USER_IN_USE/);
    assert.equal((await run([...registering, '--exists-ok'])).code, 0);
    const wrong = await run(['register-user', '-k', 'x', '-u', 'bob', '-p', 'p', '-a', url]);
    assert.match(wrong.stderr, /M_FORBIDDEN/);
    const nowhere = await run(['register-user', '-k', 'x', '-u', 'bob', '-p', 'p', '-a', 'there']);
    assert.equal(nowhere.stderr, 'there is not a web address such as http://127.0.0.1:8008\n');
    const asked = await run(['register-user', '-c', path, url], 'bob\npw\npw\n\n');
    assert.match(asked.stdout, /registered @bob:a\.org\n$/, asked.stderr);

    await writeFile(
      join(folder, 'taken.yaml'),
      `listeners: [{port: ${new URL(url).port}, bind_addresses: [127.0.0.1]}]`,
    );
    const taken = await run(['doctor', path, 'taken.yaml']);
    assert.equal(taken.code, 1);
    assert.match(taken.stdout, /BAD .*EADDRINUSE/);

    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    const unreachable = await run(registering);
    assert.equal(unreachable.code, 1);
    assert.match(unreachable.stderr, /cannot be reached.*is the server running/);
    const healthy = await run(['doctor', '--config-path', path]);
    assert.equal(healthy.code, 0, healthy.stdout);
  });

  it('where a process cannot become another, the server ends with the one that waits', async () => {
    const old = ['--import', 'data:text/javascript,process.execve=undefined'];
    const pidFile = join(folder, 'serve.pid');
    await writeFile(join(folder, 'pid.yaml'), `pid_file: ${pidFile}`);
    const args = [...old, bin, 'serve', '--config-path', path, '--config-path', 'pid.yaml'];
    const child = spawn(process.execPath, args, { cwd: folder, stdio: [...inherit] });
    await urlOf(child);
    assert.notEqual(await readFile(pidFile, 'utf8'), `${child.pid}\n`);
    child.kill('SIGKILL');
    await gone(pidFile);

    const next = spawn(process.execPath, args, { cwd: folder, stdio: [...inherit] });
    await urlOf(next);
    next.kill('SIGTERM');
    assert.deepEqual(await once(next, 'exit'), [0, null]);
  });

  it('a start that fails says why in one line, and leaves nothing behind', async () => {
    const taken = createServer();
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const here = `cannot listen at 127.0.0.1:${port}: another program listens there (EADDRINUSE)`;
    const somewhere = 'listeners: [{port: 0, bind_addresses: [127.0.0.1]}]';
    const failures: [yaml: string, complaint: string][] = [
      [`listeners: [{port: ${port}, bind_addresses: [127.0.0.1]}]`, here],
      [
        'listeners: [{path: /nowhere/http.sock}]',
        'cannot listen at /nowhere/http.sock: its folder is not there or not writable (EACCES)',
      ],
      ['data_dir: /nowhere', 'data_dir /nowhere is not there: make it, or mount its disk'],
      [
        'signing_key_path: made/homeserver.yaml',
        'signing_key_path made/homeserver.yaml: a signing key is one line: ed25519 <version> <base64 seed>',
      ],
      [
        'database: {url: "postgresql://u:secret@127.0.0.1:1/x"}',
        'the database cannot be reached: connect ECONNREFUSED 127.0.0.1:1',
      ],
      [
        `${somewhere}\npid_file: /nowhere/pid`,
        "the process id cannot be written: ENOENT: no such file or directory, open '/nowhere/pid'",
      ],
      [
        'listeners: [{port: 0, tls: true}]\ntls_certificate_path: /nowhere/c\ntls_private_key_path: /nowhere/k',
        "tls_certificate_path: ENOENT: no such file or directory, open '/nowhere/c'",
      ],
    ];
    for (const [yaml, complaint] of failures) {
      // oxlint-disable no-await-in-loop
      await writeFile(join(folder, 'failing.yaml'), yaml);
      const { code, stderr } = await run(['serve', '-c', path, '-c', 'failing.yaml']);
      assert.deepEqual({ code, stderr }, { code: 1, stderr: `${complaint}\n` });
      // oxlint-enable no-await-in-loop
    }
    taken.close();
  });

  it('the process id of a worker is where it says, and not in the main process’s file', async () => {
    await writeFile(
      join(folder, 'worker.yaml'),
      'worker_app: synapse.app.generic_worker\nworker_pid_file: worker.pid\npid_file: main.pid',
    );
    const { config } = await loadConfig([
      join(folder, 'made/homeserver.yaml'),
      join(folder, 'worker.yaml'),
    ]);
    assert.equal(config.pidFile, 'worker.pid');
  });
});
