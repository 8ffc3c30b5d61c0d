import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type pg from 'pg';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { databaseOf } from '../harness/remote-members.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let admin: TestClient;
let alice: TestClient;
let bob: TestClient;
let sql: pg.Client;

before(async () => {
  server = await startTestServer();
  sql = await databaseOf(server.dataDir);
  // One after the other: who was first leaves first.
  admin = await registerAdmin(server.url);
  alice = await TestClient.register(server.url, 'alice');
  bob = await TestClient.register(server.url, 'bob');
});
after(async () => {
  await sql.end();
  await server.close();
});

const v1 = '/_synapse/admin/v1';
const v2 = '/_synapse/admin/v2';
const nothing = {
  kicked_users: [],
  failed_to_kick_users: [],
  local_aliases: [],
  new_room_id: null,
};
const at = (version: string, roomId: string, rest = '') =>
  `${version}/rooms/${encodeURIComponent(roomId)}${rest}`;

async function ended(deleteId: string): Promise<Json> {
  return eventually(async () => {
    const status = await admin.ok('GET', `${v2}/rooms/delete_status/${deleteId}`);
    assert.ok(['complete', 'failed'].includes(status['status'] as string), status['status']);
    return status;
  }, 2_000);
}

async function deleteRoom(roomId: string, wish: Json = {}): Promise<Json> {
  const { delete_id: id } = await admin.ok('DELETE', at(v2, roomId), wish);
  const status = await ended(id as string);
  assert.equal(status['status'], 'complete', JSON.stringify(status));
  return status;
}

/** What was done to rooms, and what is unlogged memory of connections. */
const records = ['room_jobs', 'removed_rooms', 'blocked_rooms', 'sliding_sync_connections'];

/** Tables with rows that name the room, in a column or anywhere in their text. */
async function tablesWith(roomId: string, roomNid: number): Promise<string[]> {
  const { rows: tables } = await sql.query<{ name: string; hasNid: boolean }>(
    `select t.table_name as name, exists (select from information_schema.columns c
         where c.table_schema = t.table_schema and c.table_name = t.table_name
           and c.column_name = 'room_nid') as "hasNid"
       from information_schema.tables t
       where t.table_schema = 'public' and t.table_type = 'BASE TABLE'`,
  );
  assert.ok(tables.length > 50);
  const found: string[] = [];
  for (const { name, hasNid } of tables) {
    if (records.includes(name)) continue;
    // oxlint-disable-next-line no-await-in-loop -- one connection
    const { rows } = await sql.query<{ isThere: boolean }>(
      `select exists (select from "${name}" t where strpos(t::text, $1) > 0
         ${hasNid ? `or t.room_nid = ${roomNid}` : ''}) as "isThere"`,
      [roomId],
    );
    if (rows[0]!.isThere) found.push(name);
  }
  return found.toSorted();
}

async function nidOf(roomId: string): Promise<number> {
  const { rows } = await sql.query<{ nid: string }>(
    'select room_nid as nid from rooms where room_id = $1',
    [roomId],
  );
  return Number(rows[0]!.nid);
}

/** A room that has left something behind wherever rooms do. */
async function fullRoom(): Promise<string> {
  const roomId = await alice.createRoom({
    preset: 'public_chat',
    visibility: 'public',
    name: 'Full of it',
    room_alias_name: uniqueName('full'),
  });
  await bob.join(roomId);
  const path = alice.room(roomId);
  const root = await alice.send(roomId, `hello ${bob.userId}`);
  const relates = (relation: Json) => ({
    msgtype: 'm.text',
    body: 'in a thread',
    'm.relates_to': relation,
  });
  await bob.ok('PUT', `${path}/send/m.room.message/thread`, {
    ...relates({ rel_type: 'm.thread', event_id: root }),
  });
  await bob.ok('PUT', `${path}/send/m.reaction/reaction`, {
    'm.relates_to': { rel_type: 'm.annotation', event_id: root, key: '👍' },
  });
  const redacted = await alice.send(roomId, 'oops');
  await alice.ok('PUT', `${path}/redact/${encodeURIComponent(redacted)}/redaction`, {});
  await bob.ok('POST', `${path}/receipt/m.read/${encodeURIComponent(root)}`, {});
  const own = `/_matrix/client/v3/user/${encodeURIComponent(bob.userId)}/rooms/${encodeURIComponent(roomId)}`;
  await bob.ok('PUT', `${own}/tags/u.fun`, { order: 0.5 });
  await bob.ok('PUT', `${own}/account_data/org.example`, { colour: 'red' });
  await bob.ok('POST', `${path}/report/${encodeURIComponent(root)}`, { reason: 'rude' });
  const delayed = `${path}/send/m.room.message/later?org.matrix.msc4140.delay=3600000`;
  await bob.ok('PUT', delayed, { msgtype: 'm.text', body: 'later' });
  const { version } = await bob.ok('POST', '/_matrix/client/v3/room_keys/version', {
    algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2',
    auth_data: { public_key: 'abc', signatures: {} },
  });
  await bob.ok(
    'PUT',
    `/_matrix/client/v3/room_keys/keys/${encodeURIComponent(roomId)}/session?version=${version}`,
    { first_message_index: 1, forwarded_count: 0, is_verified: true, session_data: { a: 1 } },
  );
  await bob.ok('POST', '/_matrix/client/v3/search', {
    search_categories: { room_events: { search_term: 'hello' } },
  });
  return roomId;
}

describe('a deleted room', () => {
  test('leaves no row in any table, and is unknown', async () => {
    const roomId = await fullRoom();
    const roomNid = await nidOf(roomId);
    const full = await tablesWith(roomId, roomNid);
    for (const table of ['events', 'room_state', 'memberships', 'receipts', 'threads', 'rooms']) {
      assert.ok(full.includes(table), table);
    }
    for (const table of ['account_data', 'sent_transactions', 'backed_up_keys', 'reports']) {
      assert.ok(full.includes(table), table);
    }
    const status = await deleteRoom(roomId);
    assert.deepEqual(status['shutdown_room'], {
      ...nothing,
      kicked_users: [alice.userId, bob.userId],
    });
    assert.deepEqual(await tablesWith(roomId, roomNid), []);
    const listed = await admin.ok('GET', at(v2, roomId, '/delete_status'));
    assert.deepEqual(listed['results'], [status]);
    assert.equal(await admin.refused('GET', at(v1, roomId)), '404 M_NOT_FOUND');
    assert.match(await alice.refused('GET', `${alice.room(roomId)}/messages?dir=b`), /^40[34] /);
    assert.match(await alice.refused('PUT', `${alice.room(roomId)}/send/m.x/1`, {}), /^40[34] /);
    const joined = await alice.ok('GET', '/_matrix/client/v3/joined_rooms');
    assert.ok(!joined['joined_rooms'].includes(roomId));
    // A client that was there goes on, and so does one that comes.
    const sync = await alice.sync({ timeout: '0' });
    assert.equal(sync['rooms']?.join?.[roomId], undefined);
  });

  test('is left by those who sync', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(roomId);
    const { next_batch: since } = await bob.syncUntil({}, (sync) => sync['rooms']?.join?.[roomId]);
    await deleteRoom(roomId);
    await bob.syncUntil({ since }, (sync) => sync['rooms']?.leave?.[roomId]);
  });

  test('sends its users and aliases to the new room', async () => {
    const name = uniqueName('moving');
    const roomId = await alice.createRoom({ preset: 'public_chat', room_alias_name: name });
    await bob.join(roomId);
    const alias = `#${name}:test.example`;
    const { shutdown_room: done } = await deleteRoom(roomId, {
      new_room_user_id: '@warden:test.example',
      room_name: 'Sorry',
      message: 'It had to go',
      block: true,
    });
    const { new_room_id: successor } = done;
    assert.deepEqual(done, {
      kicked_users: [alice.userId, bob.userId],
      failed_to_kick_users: [],
      local_aliases: [alias],
      new_room_id: successor,
    });
    const path = `/_matrix/client/v3/directory/room/${encodeURIComponent(alias)}`;
    assert.equal((await alice.ok('GET', path))['room_id'], successor);
    const { chunk } = await alice.ok('GET', `${alice.room(successor)}/messages?dir=b`);
    assert.equal(chunk[0].content.body, 'It had to go');
    assert.equal(chunk[0].sender, '@warden:test.example');
    const named = await alice.ok('GET', `${alice.room(successor)}/state/m.room.name/`);
    assert.equal(named['name'], 'Sorry');
    const refused = await alice.refused('PUT', `${alice.room(successor)}/send/m.x/1`, {});
    assert.equal(refused, '403 M_FORBIDDEN');
    const block = await admin.ok('GET', at(v1, roomId, '/block'));
    assert.deepEqual(block, { block: true, user_id: admin.userId });
  });

  test('may be kept, empty and blocked', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await deleteRoom(roomId, { purge: false, block: true });
    const room = await admin.ok('GET', at(v1, roomId));
    assert.deepEqual([room['joined_members'], room['forgotten']], [0, true]);
    const join = `/_matrix/client/v3/join/${encodeURIComponent(roomId)}`;
    assert.equal(await bob.refused('POST', join, {}), '403 M_FORBIDDEN');
  });
});

describe('the requests', () => {
  test('answer at once, or when it is done', async () => {
    const roomId = await alice.createRoom({});
    const done = await admin.ok('DELETE', at(v1, roomId), {});
    assert.deepEqual(done, { ...nothing, kicked_users: [alice.userId] });
    assert.equal(await admin.refused('GET', at(v1, roomId)), '404 M_NOT_FOUND');
    const unknown = `!${uniqueName('unknown')}:test.example`;
    assert.deepEqual(await admin.ok('DELETE', at(v1, unknown), { block: true }), nothing);
    assert.equal((await admin.ok('GET', at(v1, unknown, '/block')))['block'], true);
    assert.deepEqual((await deleteRoom(unknown))['shutdown_room'], nothing);
  });

  test('are refused when they are wrong', async () => {
    const roomId = await alice.createRoom({});
    for (const version of [v1, v2]) {
      const refused = (body: unknown, id = roomId) =>
        admin.refused('DELETE', at(version, id), body);
      for (const name of ['block', 'purge', 'force_purge']) {
        // oxlint-disable-next-line no-await-in-loop
        assert.equal(await refused({ [name]: 'yes' }), '400 M_BAD_JSON');
      }
      const strange = { new_room_user_id: '@a:elsewhere.example' };
      // oxlint-disable-next-line no-await-in-loop
      assert.equal(await refused(strange), '400 M_UNKNOWN');
      // oxlint-disable-next-line no-await-in-loop
      assert.equal(await refused({}, 'nonsense'), '400 M_UNKNOWN');
      // oxlint-disable-next-line no-await-in-loop
      assert.equal(await alice.refused('DELETE', at(version, roomId), {}), '403 M_FORBIDDEN');
    }
    const status = `${v2}/rooms/delete_status/none`;
    assert.equal(await admin.refused('GET', status), '404 M_NOT_FOUND');
    assert.equal(await admin.refused('GET', at(v2, roomId, '/delete_status')), '404 M_NOT_FOUND');
    assert.equal(await admin.refused('GET', at(v2, 'x', '/delete_status')), '400 M_UNKNOWN');
  });
});
