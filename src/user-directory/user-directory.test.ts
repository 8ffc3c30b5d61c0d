import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import pg from 'pg';
import { createLocalRoles, type Roles } from '../cluster/role.ts';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import type { Endpoint, Requester } from '../http/endpoint.ts';
import { createLog } from '../kernel/log.ts';
import { createLocalBus } from '../streams/bus.ts';
import { createUserDirectory, type UserDirectoryConfig } from './module.ts';

let testDatabase: TestDatabase;
let sql: pg.Client;
before(async () => {
  testDatabase = await createTestDatabase();
  sql = new pg.Client(testDatabase.connection);
  await sql.connect();
});
after(async () => {
  await sql.end();
  await testDatabase.close();
});
beforeEach(async () => {
  await sql.query(
    `truncate users, accounts, profile_fields, rooms, memberships, events, event_types, room_state,
       user_directory, user_directory_words, user_directory_queue, user_directory_public_rooms
       restart identity`,
  );
  await sql.query('update user_directory_cursor set pos = 0');
});

let pos = 0;

async function user(name: string, displayName: string | null = null): Promise<number> {
  const userId = `@${name}`.includes(':') ? `@${name}` : `@${name}:here`;
  const made = await sql.query('insert into users (user_id) values ($1) returning user_nid', [
    userId,
  ]);
  const nid = Number(made.rows[0].user_nid);
  if (!userId.endsWith(':here')) return nid;
  await sql.query('insert into accounts (user_nid, created_ts) values ($1, 0)', [nid]);
  if (displayName !== null) {
    const field = [nid, JSON.stringify(displayName)];
    await sql.query(`insert into profile_fields values ($1, 'displayname', $2)`, field);
  }
  return nid;
}

/** Sets state as the writer of rooms does. */
async function state(roomNid: number, type: string, key: string, content: object): Promise<number> {
  pos++;
  await sql.query(
    `insert into event_types (event_type) select $1::text
     where not exists (select from event_types where event_type = $1)`,
    [type],
  );
  await sql.query(
    `update room_state set to_pos = $4 where room_nid = $1 and state_key = $3
       and to_pos = 9223372036854775807
       and type_nid = (select type_nid from event_types where event_type = $2)`,
    [roomNid, type, key, pos],
  );
  await sql.query(
    `with t as (select type_nid from event_types where event_type = $2), e as (
       insert into events (room_nid, event_nid, pos, event_id, type_nid, state_key, sender_nid,
           origin_server_ts, depth, content, envelope, content_at)
         select $1, $4::bigint, $4::bigint, '$' || $4::bigint, type_nid, $3, 1, 0, 1, $5, '', 0 from t)
     insert into room_state (room_nid, type_nid, state_key, event_nid, from_pos)
       select $1, type_nid, $3, $4::bigint, $4::bigint from t`,
    [roomNid, type, key, pos, JSON.stringify(content)],
  );
  return pos;
}

async function room(joinRule: string): Promise<number> {
  const made = await sql.query(
    `insert into rooms (room_id, room_version, created_ts)
     select '!' || (1 + count(*)), '12', 0 from rooms returning room_nid`,
  );
  const nid = Number(made.rows[0].room_nid);
  await state(nid, 'm.room.join_rules', '', { join_rule: joinRule });
  return nid;
}

async function member(userNid: number, roomNid: number, membership: string, name?: string) {
  const { rows } = await sql.query('select user_id from users where user_nid = $1', [userNid]);
  const userId = rows[0].user_id as string;
  const content = { membership, ...(name === undefined ? {} : { displayname: name }) };
  const at = await state(roomNid, 'm.room.member', userId, content);
  await sql.query(
    `insert into memberships (user_nid, room_nid, membership, event_nid, pos, sender_nid, is_local)
     values ($1, $2, $3, $4, $4, $1, $5)
     on conflict (user_nid, room_nid) do update
       set membership = excluded.membership, event_nid = excluded.event_nid, pos = excluded.pos`,
    [userNid, roomNid, membership, at, userId.endsWith(':here')],
  );
}

const usual: UserDirectoryConfig = {
  isEnabled: true,
  findsAll: false,
  prefersLocal: false,
  excludesRemote: false,
  showsLocked: false,
};

// Without the role: nothing goes on unless the test says so.
const noRole = { ...createLocalRoles(), serve: () => undefined };

function directory(
  config: Partial<UserDirectoryConfig> = {},
  excludedUserIds: string[] = [],
  roles: Roles = noRole,
) {
  const log = createLog('error', { write: () => undefined });
  const bus = createLocalBus({
    position: pos,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  const made = createUserDirectory({
    database: testDatabase.database,
    bus,
    log,
    roles,
    config: { ...usual, ...config },
    excludedUserIds: () => excludedUserIds,
  });
  return { ...made, search: searchOf(made.endpoints[0]!) };
}

const searchOf =
  (endpoint: Endpoint) => async (searcherNid: number, term: string, limit?: number) => {
    const requester = { userNid: searcherNid } as Requester;
    const body = { search_term: term, ...(limit === undefined ? {} : { limit }) };
    const context = { body, requester } as unknown as Parameters<Endpoint['handle']>[0];
    const answer = (await endpoint.handle(context)) as { results: { user_id: string }[] };
    return answer.results.map((found) => found.user_id);
  };

test('users of other servers are found while a local user is with them', async () => {
  const [alice, bob, rita] = [await user('alice'), await user('bob'), await user('rita:there')];
  const open = await room('public');
  await member(rita, open, 'join', 'Rita Remote');
  const { catchUp, search } = directory();
  await catchUp();
  assert.deepEqual(await search(bob, 'rita'), [], 'no local user is there');
  await member(alice, open, 'join');
  const later = directory();
  await later.catchUp();
  assert.deepEqual(await later.search(bob, 'remote'), ['@rita:there']);
  await member(alice, open, 'leave');
  const last = directory();
  await last.catchUp();
  assert.deepEqual(await last.search(bob, 'remote'), []);
});

test('the name of a private room is not shown when there is one of a public room', async () => {
  const [alice, bob, rita] = [await user('alice'), await user('bob'), await user('rita:there')];
  const [open, closed] = [await room('public'), await room('invite')];
  await member(alice, open, 'join');
  await member(alice, closed, 'join');
  await member(rita, open, 'join', 'Official');
  await member(rita, closed, 'join', 'Secret');
  const { catchUp, search } = directory();
  await catchUp();
  assert.deepEqual(await search(bob, 'official'), ['@rita:there']);
  assert.deepEqual(await search(bob, 'secret'), []);
});

test('options: everybody, local users first or only, locked users, senders of bridges', async () => {
  const searcher = await user('searcher');
  await user('sam.local', 'Sam');
  const [locked] = [await user('sam.locked', 'Sam'), await user('sam.bridge', 'Sam')];
  const remote = await user('sam:there');
  const open = await room('public');
  await member(searcher, open, 'join');
  await member(remote, open, 'join', 'Sam');
  await sql.query('update accounts set is_locked = true where user_nid = $1', [locked]);
  await directory().catchUp();
  const found = (config: Partial<UserDirectoryConfig>) =>
    directory(config, ['@sam.bridge:here']).search(searcher, 'sam');
  assert.deepEqual(await found({}), ['@sam:there']);
  assert.deepEqual(await found({ findsAll: true, prefersLocal: true }), [
    '@sam.local:here',
    '@sam:there',
  ]);
  assert.deepEqual(await found({ findsAll: true, excludesRemote: true }), ['@sam.local:here']);
  assert.deepEqual(await found({ findsAll: true, excludesRemote: true, showsLocked: true }), [
    '@sam.local:here',
    '@sam.locked:here',
  ]);
  assert.deepEqual(await found({ isEnabled: false, findsAll: true }), []);
});

test('a term that very many match finds the exact name, and people from shared rooms', async () => {
  const [alice, zoe] = [await user('alice'), await user('zoe', 'Anzen Aoki')];
  const closed = await room('invite');
  await member(alice, closed, 'join');
  await member(zoe, closed, 'join');
  await sql.query(
    `with made as (
       insert into users (user_id) select '@an' || n || ':here' from generate_series(1, 1000) n
       returning user_nid)
     insert into accounts (user_nid, created_ts) select user_nid, 0 from made`,
  );
  const { catchUp, search } = directory();
  await catchUp();
  assert.deepEqual(await search(alice, 'an'), ['@zoe:here']);
  const all = directory({ findsAll: true });
  assert.equal((await all.search(alice, 'an', 50)).length, 50);
  assert.deepEqual(await all.search(alice, 'an777'), ['@an777:here']);
});

test('two processes that work at once do everything once, and nothing is left', async () => {
  const alice = await user('alice');
  const open = await room('public');
  await member(alice, open, 'join');
  await sql.query(
    `with made as (
       insert into users (user_id) select '@user' || n || ':here' from generate_series(1, 1500) n
       returning user_nid)
     insert into accounts (user_nid, created_ts) select user_nid, 0 from made`,
  );
  const [one, two] = [directory(), directory()];
  await Promise.all([one.catchUp(), two.catchUp()]);
  // Whoever came second leaves the rest to the first, who has ended too.
  const { rows } = await sql.query(
    `select (select count(*)::int from user_directory) as entries,
       (select count(*)::int from user_directory_queue) as queued`,
  );
  assert.deepEqual(rows, [{ entries: 1501, queued: 0 }]);
  assert.deepEqual(await one.search(alice, 'alice'), ['@alice:here']);
});

test('what another process had begun when it died is done at the next look', async (t) => {
  const [alice, bob] = [await user('alice'), await user('bob')];
  const open = await room('public');
  await member(alice, open, 'join');
  await member(bob, open, 'join');
  t.mock.timers.enable({ apis: ['setInterval'] });
  const dying = new pg.Client(testDatabase.connection);
  dying.on('error', () => undefined);
  await dying.connect();
  await dying.query('begin');
  await dying.query(`select pg_advisory_xact_lock(hashtext('user_directory'))`);
  let take: () => void = () => undefined;
  const roles = {
    ...createLocalRoles(),
    serve: (
      _: unknown,
      service: { taken?(shards: readonly number[], fences: readonly []): void },
    ) => {
      take = () => service.taken?.([0], []);
    },
  };
  const one = directory({}, [], roles);
  take();
  // Searches wait for what is under way.
  assert.deepEqual(await one.search(alice, 'bob'), []);
  await dying.query('rollback');
  await dying.end();
  t.mock.timers.tick(1_000);
  await one.stop();
  assert.deepEqual(await one.search(alice, 'bob'), ['@bob:here']);
});

test('who was in a room that is deleted is found by strangers no longer', async () => {
  const [alice, bob] = [await user('alice'), await user('bob')];
  const open = await room('public');
  await member(alice, open, 'join');
  const { catchUp, search } = directory();
  await catchUp();
  assert.deepEqual(await search(bob, 'alice'), ['@alice:here']);
  await sql.query('delete from memberships where room_nid = $1', [open]);
  await sql.query('delete from rooms where room_nid = $1', [open]);
  await catchUp();
  assert.deepEqual(await search(bob, 'alice'), []);
  const { rows } = await sql.query('select from user_directory_public_rooms');
  assert.equal(rows.length, 0);
});
