import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, beforeEach, describe, it } from 'node:test';
import type pg from 'pg';
import { checkReceived } from '../../src/matrix/received-pdu.ts';
import type { JsonObject, Pdu } from '../../src/matrix/pdu.ts';
import { isSignedRequest, parseRequestAuthorization } from '../../src/matrix/request-signing.ts';
import { roomVersion } from '../../src/matrix/room-versions.ts';
import type { RunningSet } from '../../src/up/start-up.ts';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { databaseOf, receiveInSet } from '../harness/remote-members.ts';
import {
  startRemoteServer,
  type RemoteRequest,
  type RemoteServer,
} from '../harness/remote-server.ts';
import { startWorkerSet } from '../harness/topology.ts';

const version = roomVersion('11');
const destinationsPath = '/_synapse/admin/v1/federation/destinations';
const config = `
federation: {destination_min_retry_interval: 1s, destination_max_retry_interval: 2s, max_long_retries: 1}
`;
const workers = `
workers: {generic_worker: 2, federation_sender: 2}
stream_writers: {events: [generic_worker1, generic_worker2]}
`;

describe('sending to other servers', () => {
  let set: RunningSet;
  let dataDir: string;
  let sql: pg.Client;
  let remote: RemoteServer;
  let bob: string;
  let alice: TestClient;
  let admin: TestClient;
  let roomId: string;
  const faults: string[] = [];

  before(async () => {
    ({ set, dataDir } = await startWorkerSet(config, workers));
    sql = await databaseOf(dataDir);
    remote = await startRemoteServer();
    remote.answer = takeTransaction;
    bob = `@bob:${remote.name}`;
    alice = await TestClient.register(set.urls[0]!, 'alice');
    admin = await registerAdmin(set.urls[0]!);
  });
  beforeEach(async () => {
    remote.asked.length = 0;
    roomId = await alice.createRoom({ preset: 'public_chat', room_version: version.id });
    await receiveInSet(sql, remote, roomId, {
      sender: bob,
      type: 'm.room.member',
      stateKey: bob,
      content: { membership: 'join' },
    });
  });
  after(async () => {
    await sql.end();
    await remote.stop().catch(() => undefined);
    await set.close();
    await rm(dataDir, { recursive: true });
    assert.deepEqual(faults, []);
  });

  let ownKey: { id: string; key: string } | null = null;
  async function keyOfServer(): Promise<{ id: string; key: string }> {
    const published = await new TestClient(set.urls[0]!).ok('GET', '/_matrix/key/v2/server');
    const [[id, { key }]] = Object.entries(published['verify_keys'] as Json) as [
      [string, { key: string }],
    ];
    return { id, key };
  }

  async function check(request: RemoteRequest): Promise<void> {
    ownKey ??= await keyOfServer();
    const { id, key } = ownKey;
    const { method, uri, content, authorization } = request;
    const parts = { method, uri, content, destination: remote.name };
    const isSigned = isSignedRequest(parts, parseRequestAuthorization(authorization)!, key);
    if (!isSigned) faults.push(`${uri} is not signed`);
    const { origin, pdus, edus } = content as unknown as {
      origin: string;
      pdus: Pdu[];
      edus: JsonObject[];
    };
    if (origin !== 'test.example') faults.push(`${uri} is of ${origin}`);
    if (pdus.length > 50 || edus.length > 100) faults.push(`${uri} is too large`);
    const known = async (_name: string, keyId: string) =>
      keyId === id ? { publicKey: key, validUntilTs: Date.now() + 1_000 } : null;
    for (const pdu of pdus) {
      // oxlint-disable-next-line no-await-in-loop
      const checked = await checkReceived(version, pdu.room_id!, pdu, known);
      if (typeof checked === 'string') faults.push(checked);
    }
  }

  async function takeTransaction(request: RemoteRequest): Promise<[number, JsonObject]> {
    if (!/^\/_matrix\/federation\/v1\/send\/\w+$/.test(request.uri)) return [404, {}];
    await check(request);
    return [200, { pdus: {} }];
  }

  const pdus = () =>
    remote.asked.flatMap(({ content }) => (content['pdus'] ?? []) as never as Pdu[]);
  const bodies = () =>
    pdus()
      .filter(({ room_id: id, type }) => id === roomId && type === 'm.room.message')
      .map(({ content }) => content['body']);
  /** Each once, in the order in which they came first. */
  const arrive = (expected: string[]) =>
    // Until others take over what a killed process held takes seconds.
    eventually(async () => assert.deepEqual([...new Set(bodies())], expected), 2_000);

  async function holder(): Promise<string> {
    const { rows } = await sql.query(
      `select w.name from leases l join federation_destinations d on d.shard = l.shard
         join workers w on w.instance = l.holder
       where l.role = 'federation_sender' and d.server_name = $1`,
      [remote.name],
    );
    return rows[0].name as string;
  }

  async function sayAll(texts: readonly string[]): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop
    for (const text of texts) await alice.send(roomId, text);
  }

  it('events come signed and in order', async () => {
    await sayAll(['a', 'b', 'c']);
    await arrive(['a', 'b', 'c']);
    assert.equal(bodies().length, 3, 'each once');
    assert.ok((await holder()).startsWith('federation_sender'));
    const ids = remote.asked.map(({ uri }) => uri);
    assert.equal(new Set(ids).size, ids.length);
  });

  it('a server that was away gets everything in order, and admins see how it is', async () => {
    await sayAll(['a']);
    await arrive(['a']);
    const path = `${destinationsPath}/${encodeURIComponent(remote.name)}`;
    assert.equal(await admin.refused('POST', `${path}/reset_connection`, {}), '400 M_UNKNOWN');
    await remote.stop();
    await sayAll(['b', 'c']);
    await eventually(async () => {
      const shown = await admin.ok('GET', path);
      assert.equal(shown['destination'], remote.name);
      assert.ok(shown['failure_ts'] > 0 && shown['retry_interval'] > 0);
    });
    await sayAll(['d', 'e']);
    await remote.start();
    await admin.ok('POST', `${path}/reset_connection`, {});
    await arrive(['a', 'b', 'c', 'd', 'e']);
    await eventually(async () => {
      assert.equal((await admin.ok('GET', path))['failure_ts'], null);
    });

    const listed = await admin.ok('GET', `${destinationsPath}?order_by=retry_last_ts&dir=b`);
    assert.deepEqual([listed['total'], listed['destinations'].length], [1, 1]);
    const rooms = await admin.ok('GET', `${path}/rooms`);
    assert.ok((rooms['rooms'] as Json[]).some(({ room_id: id }) => id === roomId));
    assert.ok(Number.isInteger(rooms['rooms'][0].stream_ordering));
    const unknown = `${destinationsPath}/nowhere.example`;
    assert.equal(await admin.refused('GET', unknown), '404 M_NOT_FOUND');
    assert.equal(await alice.refused('GET', destinationsPath), '403 M_FORBIDDEN');
  });

  it('a server that asks for something is tried again', async () => {
    await remote.stop();
    await sayAll(['a']);
    await eventually(async () => {
      const { rows } = await sql.query(
        'select from federation_destinations where server_name = $1 and failing_since_ts > 0',
        [remote.name],
      );
      assert.equal(rows.length, 1);
    });
    await remote.start();
    const question = { user_ids: [] };
    const uri = '/_matrix/federation/v1/get_groups_publicised';
    const { status } = await remote.request(set.urls[0]!, 'POST', uri, question);
    assert.equal(status, 200);
    await arrive(['a']);
  });

  it('the holder may be killed: another goes on, and nothing is lost', async () => {
    await sayAll(['a']);
    await arrive(['a']);
    await remote.stop();
    await sayAll(['b', 'c']);
    const messages = { [bob]: { '*': { n: 1 } } };
    await alice.ok('PUT', '/_matrix/client/v3/sendToDevice/m.x/t1', { messages });
    const name = await holder();
    process.kill(set.pids().get(name)!, 'SIGKILL');
    await sayAll(['d', 'e']);
    await remote.start();
    await arrive(['a', 'b', 'c', 'd', 'e']);
    await eventually(async () => {
      const edus = remote.asked.flatMap(({ content }) => (content['edus'] ?? []) as JsonObject[]);
      const sent = edus.filter((edu) => edu['edu_type'] === 'm.direct_to_device');
      assert.deepEqual(sent.map(({ content }) => (content as Json)['messages']).slice(0, 1), [
        messages,
      ]);
    });
  });
});
