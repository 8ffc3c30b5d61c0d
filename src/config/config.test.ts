import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { defaultAccountsConfig, type AccountsConfig } from '../accounts/config.ts';
import { defaultPresenceConfig } from '../presence/config.ts';
import { generateSigningKeyLine, parseSigningKey } from '../matrix/signing.ts';
import { loadConfig } from './config.ts';
import { ConfigError } from './read-files.ts';
import { readSigningKey } from './signing-key-file.ts';

let folder: string;
let made = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lattice-config-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function file(content: string): Promise<string> {
  const path = join(folder, `${++made}.yaml`);
  await writeFile(path, content);
  return path;
}

const named = 'server_name: example.org\n';

async function load(content: string) {
  return loadConfig([await file(named + content)]);
}

/** The problems of a configuration, each as `line: message`. */
async function problemsOf(content: string): Promise<string[]> {
  const path = await file(named + content);
  try {
    await loadConfig([path]);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map((problem) => problem.replace(`${path}:`, ''));
  }
  return [];
}

describe('defaults', () => {
  it('are those that accounts and presence declare', async () => {
    const { config, warnings } = await load('');
    const accounts: AccountsConfig = config.accounts;
    assert.deepEqual(accounts, defaultAccountsConfig('example.org'));
    assert.deepEqual(config.presence, defaultPresenceConfig);
    assert.deepEqual(warnings, []);
  });

  it('listen on this machine only, with an own database', async () => {
    const { config } = await load('');
    assert.equal(config.database, null);
    assert.equal(config.dataDir, folder);
    assert.equal(config.signingKeyPath, join(folder, 'signing.key'));
    assert.deepEqual(config.listeners[0]!.at, { port: 8008, addresses: ['127.0.0.1'] });
  });
});

describe('signing_key', () => {
  const line = generateSigningKeyLine('a_1');

  it('may be in the configuration itself, where it comes before the file', async () => {
    const { config, warnings } = await load(`signing_key: ${line}\nsigning_key_path: /nowhere/key`);
    assert.deepEqual(warnings, []);
    assert.equal((await readSigningKey(config)).publicKey, parseSigningKey(line).publicKey);
  });

  it('is not shown when it is none', async () => {
    await assert.rejects(load(`signing_key: ${line}x`), (error: ConfigError) => {
      const [problem = ''] = error.problems;
      assert.match(problem, /signing_key: the seed of a signing key has 32 bytes$/);
      return true;
    });
  });
});

describe('files', () => {
  it('later ones win, option by option', async () => {
    const first = await file('server_name: a.org\nlog_level: warn\nrc_message: {per_second: 5}\n');
    const second = await file('log_level: debug\nrc_message: {burst_count: 3}\n');
    const { config } = await loadConfig([first, second]);
    assert.equal(config.logLevel, 'debug');
    assert.equal(config.serverName, 'a.org');
    assert.deepEqual(config.rateLimits.message, { perSecond: 0.2, burst: 3 });
  });

  it('of a folder are read by name, and only those of YAML', async () => {
    const inner = join(folder, 'conf.d');
    await mkdir(inner);
    await writeFile(join(inner, 'b.yaml'), 'log_level: error');
    await writeFile(join(inner, 'a.yaml'), `${named}log_level: warn`);
    await writeFile(join(inner, 'z.txt'), 'log_level: debug');
    const { config } = await loadConfig([inner]);
    assert.equal(config.logLevel, 'error');
    assert.equal(config.dataDir, inner);
  });

  it('that are no YAML, no mapping or not there are told with their place', async () => {
    assert.match((await problemsOf('a: [1\nb: 2\n')).join(), /^3: /);
    await assert.rejects(loadConfig([await file('- a')]), /1: a configuration file is a mapping/);
    await assert.rejects(loadConfig([join(folder, 'none')]), /no such file or folder/);
    assert.match((await problemsOf('log_level: info\nlog_level: warn\n')).join(), /^3: .*unique/);
  });

  it('are read as YAML 1.1, in which off is false and 0660 is octal', async () => {
    const { config } = await load(
      'encryption_enabled_by_default_for_room_type: off\nserve_server_wellknown: yes\n' +
        'listeners: [{path: /tmp/a, mode: 0660}, {path: /tmp/b, mode: 660}, {path: /tmp/c}]\n',
    );
    assert.deepEqual(config.rooms.encryptedPresets, []);
    assert.equal(config.wellKnown.server, 'example.org:443');
    const modes = config.listeners.map(({ at }) => ('mode' in at ? at.mode : null));
    assert.deepEqual(modes, [0o660, 0o660, 0o666]);
  });
});

describe('wrong values', () => {
  it('are told all at once, with line, option and what is allowed', async () => {
    const problems = await problemsOf(
      'log_level: loud\npresence:\n  enabled: true\n  idle_timeout: soon\n' +
        'listeners:\n  - port: 8008\n    resources:\n      - names: [client, tea]\n',
    );
    assert.deepEqual(problems, [
      '5: presence.idle_timeout: must be a duration such as 30s, 5m, 12h, 7d or a number of ' +
        'milliseconds, not "soon"',
      '9: listeners[0].resources[0].names[1]: must be one of client, federation, media, metrics, ' +
        'health, admin, keys, openid, consent, static, replication, not "tea"',
      '2: log_level: must be one of debug, info, warn, error, not "loud"',
    ]);
  });

  const wrong: [string, RegExp][] = [
    ['enable_registration: true', /^2: enable_registration: anybody could register/],
    ['public_baseurl: matrix.example.org', /public_baseurl: must begin with https/],
    ['default_room_version: 99', /default_room_version: must be one of 1, 2/],
    ['rc_login: {address: {per_second: 0}}', /rc_login\.address\.per_second: .*above 0, not 0/],
    ['listeners: [{tls: true, port: 1}]', /listeners\[0\]\.tls: needs tls_certificate_path/],
    ['listeners: [{}]', /listeners\[0\]: a listener needs a port or a path/],
    ['listeners: [{port: 70000}]', /port: must be a port from 0 to 65535, not 70000/],
    ['database: {name: sqlite3, args: {database: x}}', /database\.name: .*not sqlite3/],
    ['database: {args: {host: x}}', /database\.args: dbname is needed/],
    ['registration_shared_secret_path: /nowhere/x', /secret_path: cannot be read: ENOENT/],
    ['session_lifetime: 1h\nrefresh_token_lifetime: 2h', /must not be longer than session_lifet/],
    [
      'only_on_loopback: true\nlisteners: [{port: 1, bind_addresses: [0.0.0.0, 127.3.2.1]}]',
      /must be in 127\.0\.0\.0\/8 or ::1 because of only_on_loopback, not 0\.0\.0\.0$/,
    ],
  ];
  for (const [content, expected] of wrong) {
    it(content.replaceAll('\n', ', '), async () => {
      const problems = await problemsOf(content);
      assert.equal(problems.length, 1);
      assert.match(problems[0]!, expected);
    });
  }

  it('a server name is needed, in lower case and without a scheme', async () => {
    const nameless = await file('log_level: info');
    await assert.rejects(
      loadConfig([nameless]),
      /^ConfigError: server_name: this option is needed/,
    );
    for (const name of ['https://example.org', 'Example.org', 'a/b']) {
      const path = await file(`server_name: "${name}"`);
      await assert.rejects(loadConfig([path]), /server_name: must be a server name/, name);
    }
    for (const name of ['a.org:8448', '1.2.3.4', '[::1]:80', 'localhost']) {
      const { config } = await loadConfig([await file(`server_name: "${name}"`)]);
      assert.equal(config.serverName, name);
    }
  });
});

describe('warnings', () => {
  it('name the nearest known option, also inside of options', async () => {
    const { warnings } = await load('enable_registratoin: true\npresence: {enabld: true}\n');
    assert.equal(warnings.length, 2);
    assert.match(warnings[0]!, /:3: presence\.enabld: .*did you mean presence\.enabled\?$/);
    assert.match(warnings[1]!, /:2: enable_registratoin: .*did you mean enable_registration\?$/);
  });

  it('say once what has no effect yet', async () => {
    const { warnings } = await load('bcrypt_rounds: 12\nworker_manhole: 1\n');
    assert.deepEqual(warnings, ['without effect yet: worker_manhole, bcrypt_rounds']);
  });
});

describe('options', () => {
  it('a mail address is not required where no mail is sent', async () => {
    const registering = 'enable_registration: true\nregistrations_require_3pid: [email, msisdn]\n';
    await assert.rejects(load(registering), /set email too[^]*set account_threepid_delegates too/);
    const { config } = await load(
      `${registering}email: {notif_from: a@b}\naccount_threepid_delegates: {msisdn: 'https://x/'}\n`,
    );
    assert.equal(config.threepids.msisdnDelegate, 'https://x');
    assert.equal(config.email.smtp?.port, 25);
  });

  it('a database as Synapse has it', async () => {
    const { config } = await load(
      'database:\n  name: psycopg2\n  txn_limit: 10000\n  args:\n    user: synapse\n' +
        '    password: 1234\n    dbname: synapse\n    host: db\n    port: 5433\n    cp_max: 10\n',
    );
    assert.deepEqual(config.database, {
      user: 'synapse',
      password: '1234',
      database: 'synapse',
      host: 'db',
      port: 5433,
      ssl: false,
    });
  });

  it('a database by its URL', async () => {
    const { config } = await load('database: {url: "postgresql://a@b/c"}');
    assert.deepEqual(config.database, { connectionString: 'postgresql://a@b/c' });
  });

  it('rates that are high enough are no limit', async () => {
    const { config } = await load('rc_message: {per_second: 1000000, burst_count: 1000000}');
    assert.equal(config.rateLimits.message, null);
    assert.deepEqual(config.rateLimits.login, { perSecond: 0.003, burst: 5 });
  });

  it('servers are held back as they are in Synapse, and not at all with a high limit', async () => {
    const { config } = await load('rc_federation: {window_size: 750, concurrent: 5}');
    assert.deepEqual(config.serverLimits, {
      windowMs: 750,
      sleepLimit: 10,
      sleepMs: 500,
      rejectLimit: 50,
      concurrent: 5,
    });
    const open = await load('rc_federation: {sleep_limit: 1000000}');
    assert.equal(open.config.serverLimits.sleepLimit, null);
  });

  it('null switches refresh tokens off', async () => {
    const { config } = await load('refreshable_access_token_lifetime: null');
    assert.equal(config.accounts.sessions.refreshableTokenLifetimeMs, null);
  });

  it('listeners: sockets, several addresses, resources by other names', async () => {
    const { config } = await load(
      "listeners:\n  - {port: 1, bind_addresses: ['::', '0.0.0.0'], resources: [{names: [keys]}]}\n" +
        '  - {path: /run/a.sock, type: metrics}\n  - {port: 2, type: manhole}\n' +
        "  - {port: 3, bind_address: '127.0.0.2', x_forwarded: true}\n",
    );
    assert.deepEqual(config.listeners, [
      {
        at: { port: 1, addresses: ['::'] },
        resources: ['federation'],
        tls: false,
        isForwarded: false,
      },
      {
        at: { path: '/run/a.sock', mode: 0o666 },
        resources: ['metrics', 'health'],
        tls: false,
        isForwarded: false,
      },
      {
        at: { port: 3, addresses: ['127.0.0.2'] },
        resources: ['client', 'admin', 'media', 'health'],
        tls: false,
        isForwarded: true,
      },
    ]);
  });

  it('rules of the directory', async () => {
    const { config } = await load("alias_creation_rules: [{user_id: '@a:*', action: deny}]");
    assert.deepEqual(config.rooms.aliasCreationRules, [
      { userId: '@a:*', alias: '*', roomId: '*', action: 'deny' },
    ]);
  });

  it('the shared secret out of a file', async () => {
    const path = join(folder, 'secret');
    await writeFile(path, 'sesame\n');
    const { config } = await load(`registration_shared_secret_path: ${path}`);
    assert.equal(config.accounts.registration.sharedSecret, 'sesame');
  });

  it('what clients are told about the server', async () => {
    const { config } = await load(
      'public_baseurl: https://m.example.org/\nadmin_contact: mailto:me@example.org\n',
    );
    assert.equal(config.publicBaseUrl, 'https://m.example.org');
    assert.deepEqual(config.accounts.wellKnown, {
      'm.homeserver': { base_url: 'https://m.example.org/' },
    });
    assert.deepEqual(config.wellKnown.support, {
      contacts: [{ role: 'm.role.admin', email_address: 'me@example.org' }],
    });
    assert.equal(config.wellKnown.policyServerKeys, null);
  });

  it('keys of a policy server', async () => {
    const key = '6yhHGKhCiXTSEN2ksjV7kX_N6rBQZ3Xb-M7LlC6NS-s';
    const { config } = await load(`policy_server_public_keys: {ed25519: ${key}}\n`);
    assert.deepEqual(config.wellKnown.policyServerKeys, { ed25519: key });
    for (const wrong of [
      '{}',
      '{ed25519: short}',
      '{ed25519: 1}',
      `{ed25519: ${key}, other: ''}`,
    ]) {
      // oxlint-disable-next-line no-await-in-loop
      const problems = await problemsOf(`policy_server_public_keys: ${wrong}\n`);
      assert.match(problems.join(), /policy_server_public_keys/, wrong);
    }
  });
});

describe('other servers', () => {
  it('are reached as all that is outside, unless it is said otherwise', async () => {
    const { config } = await load("ip_range_blacklist: ['10.0.0.0/8']\n");
    const { deny, allowedServers, verifiesCertificates, minTlsVersion, timeoutMs } =
      config.federation;
    assert.deepEqual(deny, ['10.0.0.0/8']);
    assert.equal(allowedServers, null);
    assert.equal(verifiesCertificates, true);
    assert.equal(minTlsVersion, 'TLSv1.2');
    assert.equal(timeoutMs, 60_000);
    assert.equal('ca' in config.federation, false);
    const other = await load(
      "federation_ip_range_blacklist: ['192.0.2.0/24']\nip_range_whitelist: [192.0.2.1]\n" +
        'federation_domain_whitelist: []\nfederation_client_minimum_tls_version: 1.3\n' +
        'federation: {client_timeout: 5s, destination_retry_multiplier: 3}\n',
    );
    const { federation } = other.config;
    assert.deepEqual([federation.deny, federation.allow], [['192.0.2.0/24'], ['192.0.2.1']]);
    assert.deepEqual(federation.allowedServers, []);
    assert.equal(federation.minTlsVersion, 'TLSv1.3');
    assert.equal(federation.timeoutMs, 5000);
    assert.equal(federation.backOff.factor, 3);
  });

  it('may have certificates of an own authority, which is read at the start', async () => {
    const authority = await file('-----BEGIN CERTIFICATE-----\n');
    const { config } = await load(`federation_custom_ca_list: [${authority}]\n`);
    assert.deepEqual(config.federation.ca, ['-----BEGIN CERTIFICATE-----\n']);
    const none = await file('');
    assert.deepEqual(await problemsOf(`federation_custom_ca_list: [${none}]\n`), [
      `2: federation_custom_ca_list[0]: ${none} has no certificate`,
    ]);
    const gone = await problemsOf('federation_custom_ca_list: [/nowhere]\n');
    assert.match(gone.join(), /^2: federation_custom_ca_list\[0\]: cannot be read/);
    const factor = await problemsOf('federation: {destination_retry_multiplier: 0.5}\n');
    assert.deepEqual(factor, ['2: federation.destination_retry_multiplier: must be 1 or more']);
  });
});

describe('mistakes', () => {
  const mistakes: [yaml: string, problems: string[]][] = [
    [
      'database: {url: "mysql://me:hunter2@h/db"}',
      ['2: database.url: must be a URL that begins with postgresql://; what is there is not shown'],
    ],
    [
      'database: "postgresql://me:hunter2@h/db"',
      ['2: database: must be a mapping, not a single value'],
    ],
    [
      'registration_shared_secret: [hunter2]',
      ['2: registration_shared_secret: must be text; what is there is not shown'],
    ],
    ['turn_uris: {secret: hunter2}', ['2: turn_uris: must be a list, each text, not a mapping']],
    [
      'redis: {enabled: true, password_path: /nowhere}',
      [
        "2: redis.password_path: cannot be read: ENOENT: no such file or directory, open '/nowhere'",
      ],
    ],
    [
      'worker_replication_secret: a\nworker_replication_secret_path: /dev/null',
      [
        '3: worker_replication_secret_path: worker_replication_secret is set too; only one of them may be',
        '3: worker_replication_secret_path: /dev/null is empty',
      ],
    ],
    [
      'workers: {media: 1}',
      [
        '2: workers.media: is not one of homeserver, generic_worker, media_repository, user_dir, frontend_proxy, pusher, appservice, federation_sender',
      ],
    ],
    [
      'listeners: [{port: 80, bind_address: 127.0.0.1}, {port: 81}, {port: 80, bind_address: 127.0.0.1}]',
      ['2: listeners[2]: port 80 of 127.0.0.1 is another listener’s already'],
    ],
    ['listeners: [{path: /a}, {path: /a}]', ['2: listeners[1]: /a is another listener’s already']],
    ['\tlog_level: info', ['2: Tabs are not allowed as indentation']],
  ];
  for (const [yaml, problems] of mistakes) {
    it(`are told, with no secret in it: ${yaml}`, async () => {
      assert.deepEqual(await problemsOf(yaml), problems);
    });
  }

  it('are told once', async () => {
    const path = await file('server_name: 1\n');
    await assert.rejects(loadConfig([path]), {
      message: `${path}:1: server_name: must be text, not 1`,
    });
    const empty = join(folder, 'empty');
    await mkdir(empty);
    await assert.rejects(loadConfig([empty]), {
      message: `${empty}: there are no .yaml files in this folder`,
    });
    assert.equal((await loadConfig([await file(named), empty])).config.serverName, 'example.org');
  });

  it('of names are told with the name that is meant, and no other number', async () => {
    const { warnings } = await load(
      'stream_writers: {event: w1}\nexperimental_features: {msc3266_enabled: true}\n',
    );
    assert.match(
      warnings[0]!,
      /:3: experimental_features\.msc3266_enabled: unknown option, ignored$/,
    );
    assert.match(
      warnings[1]!,
      /:2: stream_writers\.event: .* did you mean stream_writers\.events\?$/,
    );
  });
});

describe('names of former apps', () => {
  for (const app of ['client_reader', 'event_creator', 'federation_reader', 'synchrotron']) {
    it(`${app} is a generic worker`, async () => {
      const { config } = await load(`worker_app: synapse.app.${app}\n`);
      assert.equal(config.workers.app, 'generic_worker');
    });
  }
});
