import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { TestClient, type Json } from '../harness/client.ts';
import { databaseOf } from '../harness/remote-members.ts';
import { makeDataDir, onceOnly, ServerProcess } from '../harness/server.ts';
import { copyToSynapse } from '../harness/synapse-copy.ts';
import {
  createPostgresSynapse,
  createSqliteSynapse,
  type SynapseDatabase,
} from '../harness/synapse-database.ts';

const bin = join(import.meta.dirname, '../../bin/lattice.mjs');
const run = promisify(execFile);
const room = (roomId: string) => `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`;

/** All messages that a user may see of a room, the newest first, without what depends on the time. */
async function history(client: TestClient, roomId: string): Promise<Json[]> {
  const { chunk } = await client.ok('GET', `${room(roomId)}/messages?dir=b&limit=500`);
  for (const event of chunk as Json[]) {
    delete event['unsigned'].age;
    delete event['unsigned'].transaction_id;
    delete event['unsigned'].redacted_because?.unsigned;
  }
  return chunk as Json[];
}

/** A picture of one pixel. */
const picture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

describe('taking over a Synapse', onceOnly, () => {
  let folder: string;
  let old: ServerProcess;
  let oldFolder: string;
  let alice: TestClient;
  let bob: TestClient;
  /** By what is special about them. */
  const rooms: Record<string, string> = {};
  const seen = new Map<string, { alice: Json[]; bob: Json[] }>();
  let sqliteYaml: string;
  let postgresYaml: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lattice-import-'));
    const made = await makeDataDir();
    oldFolder = made.dataDir;
    old = new ServerProcess(made.configPaths);
    await old.start();
    alice = await TestClient.register(old.url, 'alice');
    bob = await TestClient.register(old.url, 'bob');
    await live();
    for (const [name, roomId] of Object.entries(rooms)) {
      // oxlint-disable-next-line no-await-in-loop
      const [ofAlice, ofBob] = await Promise.all([history(alice, roomId), history(bob, roomId)]);
      seen.set(name, { alice: ofAlice, bob: ofBob });
    }
    const sql = await databaseOf(oldFolder);
    const { rows } = await sql.query('show unix_socket_directories');
    const sqlite = await createSqliteSynapse(join(folder, 'homeserver.db'));
    const host = rows[0].unix_socket_directories as string;
    const postgres = await createPostgresSynapse({ host, user: 'lattice' });
    for (const synapse of [sqlite, postgres]) {
      // oxlint-disable-next-line no-await-in-loop
      await copyToSynapse(sql, synapse);
      // oxlint-disable-next-line no-await-in-loop
      await addMore(synapse);
    }
    [sqliteYaml, postgresYaml] = [sqlite.yaml, postgres.yaml];
    await Promise.all([sql.end(), sqlite.close(), postgres.close()]);
    const media = join(folder, 'media', 'local_content', 'ab', 'cd');
    await mkdir(media, { recursive: true });
    await writeFile(join(media, 'efgh'), picture);
  });
  after(async () => {
    await old.end('SIGTERM');
    await rm(oldFolder, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  });

  /** What people did before. */
  async function live(): Promise<void> {
    for (const version of ['1', '6', '11', '12']) {
      const wish = { preset: 'public_chat', room_version: version, name: `Room ${version}` };
      // oxlint-disable-next-line no-await-in-loop
      const roomId = await alice.createRoom({ ...wish, room_alias_name: `room${version}` });
      rooms[version] = roomId;
      // oxlint-disable-next-line no-await-in-loop
      await bob.join(roomId);
      // oxlint-disable-next-line no-await-in-loop
      for (const text of ['one', 'two', 'three']) await alice.send(roomId, text);
      // oxlint-disable-next-line no-await-in-loop
      const bad = await bob.send(roomId, 'bad');
      const path = `${room(roomId)}/redact/${encodeURIComponent(bad)}/r1`;
      // oxlint-disable-next-line no-await-in-loop
      await alice.ok('PUT', path, { reason: 'bad' });
    }
    const left = (rooms['left'] = await alice.createRoom({ preset: 'public_chat' }));
    await bob.join(left);
    await alice.send(left, 'for both');
    await bob.ok('POST', `${room(left)}/leave`, {});
    await alice.send(left, 'for alice');
    await alice.ok('POST', `${room(rooms['11']!)}/receipt/m.read/${await newest('11')}`, {});
    await alice.createRoom({ preset: 'private_chat', invite: [bob.userId] });
    await alice.ok('PUT', `/_matrix/client/v3/profile/${alice.userId}/displayname`, {
      displayname: 'Alice',
    });
  }

  async function newest(name: string): Promise<string> {
    const [event] = await history(alice, rooms[name]!);
    return encodeURIComponent(event!['event_id']);
  }

  /** What is kept in another form than ours. */
  async function addMore(synapse: SynapseDatabase): Promise<void> {
    const who = { user_id: alice.userId, device_id: alice.deviceId };
    await synapse.insert('access_tokens', [
      { id: 700, ...who, token: 'syt_old_token', used: true },
    ]);
    const room11 = { user_id: alice.userId, room_id: rooms['11']! };
    await synapse.insert('room_tags', [
      { ...room11, tag: 'm.favourite', content: '{"order":0.5}' },
      { ...room11, tag: 'u.work', content: '{}' },
    ]);
    await synapse.insert('push_rules_enable', [
      { user_name: alice.userId, rule_id: 'global/override/.m.rule.master', enabled: 1 },
    ]);
    await synapse.insert('user_external_ids', [
      { auth_provider: 'oidc-x', external_id: 'a1', user_id: alice.userId },
    ]);
    await synapse.insert('user_filters', [
      { full_user_id: alice.userId, filter_id: 7, filter_json: '{"room":{}}' },
    ]);
    const key = { algorithm: 'signed_curve25519', key_id: 'AAAA', ts_added_ms: 1 };
    const body = JSON.stringify({ key: 'k', signatures: { [alice.userId]: { 'ed25519:X': 's' } } });
    await synapse.insert('e2e_one_time_keys_json', [{ ...who, ...key, key_json: body }]);
    await synapse.insert('e2e_room_keys_versions', [
      {
        user_id: alice.userId,
        version: 3,
        algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2',
        auth_data: JSON.stringify({ public_key: 'p', signatures: {} }),
        deleted: 0,
        etag: 4,
      },
    ]);
    await synapse.insert('device_inbox', [
      {
        ...who,
        stream_id: 5,
        message_json: JSON.stringify({ type: 'm.x', sender: bob.userId, content: { n: 1 } }),
      },
    ]);
    await synapse.insert('local_media_repository', [
      {
        media_id: 'abcdefgh',
        media_type: 'image/png',
        media_length: picture.length,
        created_ts: 1_000,
        upload_name: 'a.png',
        user_id: alice.userId,
        safe_from_quarantine: false,
        authenticated: true,
      },
    ]);
  }

  /** The files of a Synapse and of the server that takes it over. */
  async function configure(yaml: string): Promise<{ from: string; configPaths: string[] }> {
    const { configPaths, dataDir } = await makeDataDir();
    const keyPath = join(oldFolder, 'data', 'signing.key');
    const own = join(dataDir, 'own.yaml');
    await writeFile(own, `signing_key_path: ${keyPath}\n`);
    const from = join(dataDir, 'synapse.yaml');
    const key = `signing_key_path: ${keyPath}\nmedia_store_path: ${join(folder, 'media')}\n`;
    await writeFile(from, `server_name: test.example\ndatabase: ${yaml}\n${key}`);
    return { from, configPaths: [...configPaths, own] };
  }

  const commandFor = (from: string, configPaths: readonly string[]) => [
    bin,
    'import-synapse',
    '--from',
    from,
    ...configPaths.flatMap((path) => ['--config-path', path]),
  ];
  const importing = (from: string, configPaths: readonly string[], ...more: string[]) =>
    run(process.execPath, [...commandFor(from, configPaths), ...more]);

  /** Ends an import the hard way, once it has printed something. */
  async function stoppedAt(text: RegExp, from: string, configPaths: readonly string[]) {
    const child = spawn(process.execPath, commandFor(from, configPaths));
    const ended = once(child, 'exit');
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
      if (text.test(output)) child.kill('SIGKILL');
    });
    assert.deepEqual(await ended, [null, 'SIGKILL']);
  }

  async function checkServer(configPaths: readonly string[]): Promise<void> {
    const server = new ServerProcess(configPaths);
    await server.start();
    try {
      await checkAll(server.url);
    } finally {
      await server.end('SIGTERM');
    }
  }

  it('brings all over from PostgreSQL', async () => {
    const { from, configPaths } = await configure(postgresYaml);
    const { stdout } = await importing(from, configPaths);
    assert.match(stdout, /^ +2 accounts$/m);
    assert.match(stdout, /^ +1 ids at identity providers$/m);
    assert.doesNotMatch(stdout, /note:/);
    await checkServer(configPaths);
    await assert.rejects(importing(from, configPaths, '--continue'), /the database is in use/);
  });

  it('brings all over from SQLite, also when it is stopped and goes on', async () => {
    const { from, configPaths } = await configure(sqliteYaml);
    await stoppedAt(/^ +\d+ of 6 rooms/m, from, configPaths);
    await assert.rejects(importing(from, configPaths), /give --continue to go on with it/);
    const { stdout } = await importing(from, configPaths, '--continue');
    assert.match(stdout, /^ +0 accounts$/m);
    assert.doesNotMatch(stdout, /note:/);
    await checkServer(configPaths);
  });

  async function checkAll(url: string): Promise<void> {
    const now = new TestClient(url);
    now.token = 'syt_old_token';
    now.userId = alice.userId;
    const login = async (user: TestClient) => {
      const client = new TestClient(url);
      const answer = await client.ok('POST', '/_matrix/client/v3/login', {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: user.userId },
        password: `password of ${user.userId.slice(1).split(':')[0]}`,
      });
      client.token = answer['access_token'];
      return client;
    };
    const bobNow = await login(bob);
    for (const [name, roomId] of Object.entries(rooms)) {
      // oxlint-disable-next-line no-await-in-loop
      assert.deepEqual(await history(now, roomId), seen.get(name)!.alice, name);
      // oxlint-disable-next-line no-await-in-loop
      assert.deepEqual(await history(bobNow, roomId), seen.get(name)!.bob, name);
    }
    const sync = await now.ok('GET', '/_matrix/client/v3/sync');
    assert.equal(sync['device_one_time_keys_count'].signed_curve25519, 1);
    assert.deepEqual(sync['to_device'].events, [
      { type: 'm.x', sender: bob.userId, content: { n: 1 } },
    ]);
    const joined = sync['rooms'].join[rooms['11']!];
    const [tags] = joined.account_data.events;
    assert.deepEqual(tags.content.tags, { 'm.favourite': { order: 0.5 }, 'u.work': {} });
    assert.equal(joined.ephemeral.events[0].type, 'm.receipt');
    const { rooms: bobs } = await bobNow.ok('GET', '/_matrix/client/v3/sync');
    assert.equal(Object.keys(bobs.invite).length, 1);

    const rules = await now.ok('GET', '/_matrix/client/v3/pushrules/');
    assert.equal(rules['global'].override[0].enabled, true);
    const filter = await now.ok('GET', `/_matrix/client/v3/user/${alice.userId}/filter/7`);
    assert.deepEqual(filter, { room: {} });
    const backup = await now.ok('GET', '/_matrix/client/v3/room_keys/version');
    assert.deepEqual([backup['version'], backup['etag']], ['3', '4']);
    const alias = encodeURIComponent('#room11:test.example');
    const found = await now.ok('GET', `/_matrix/client/v3/directory/room/${alias}`);
    assert.equal(found['room_id'], rooms['11']);
    const media = await fetch(`${url}/_matrix/client/v1/media/download/test.example/abcdefgh`, {
      headers: { Authorization: `Bearer ${now.token}` },
    });
    assert.deepEqual(Buffer.from(await media.arrayBuffer()), picture);

    // Life goes on.
    await now.send(rooms['12']!, 'still here');
    const [last] = await history(bobNow, rooms['12']!);
    assert.equal(last!['content'].body, 'still here');
    const oldToken = 's72594_4483_1934_1_1_1_1_1_1';
    const anew = await now.ok('GET', `/_matrix/client/v3/sync?since=${oldToken}`);
    assert.ok(anew['rooms'].join[rooms['1']!], 'clients of Synapse begin anew');
  }

  it('refuses what would be of no use', async () => {
    const { from, configPaths } = await configure(sqliteYaml);
    const text = await readFile(from, 'utf8');
    await writeFile(from, `${text}password_config: {pepper: salt}\n`);
    await assert.rejects(importing(from, configPaths), /password_config\.pepper is another/);
    await writeFile(from, text.replace('test.example', 'else.example'));
    await assert.rejects(importing(from, configPaths), /that of Synapse is else\.example/);
    const missing = text.replace('homeserver.db', 'nothing.db');
    await writeFile(from, missing);
    await assert.rejects(importing(from, configPaths), /there is no database/);
  });
});
