import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import { declaredStatements } from '../database/statement.ts';
import { createRoomPurgeStore } from './store/purge-room.ts';

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

/** Their rows go with the room's own, by triggers or by hand; the last says that it is gone. */
const goWithRoom = ['rooms', 'user_directory_public_rooms', 'appservice_directories'];
const records = ['removed_rooms'];

test('every table that knows rooms by their numbers is emptied of a room', async () => {
  const { rows } = await sql.query<{ name: string }>(
    `select table_name as name from information_schema.columns
     where table_schema = 'public' and column_name = 'room_nid'`,
  );
  const emptied = declaredStatements().map(({ name }) => name);
  const forgotten = rows
    .map(({ name }) => name)
    .filter((name) => !goWithRoom.includes(name) && !records.includes(name))
    .filter((name) => !emptied.includes(`purge_room.${name}`));
  assert.deepEqual(forgotten, []);
});

test('rows go some at a time', async () => {
  const store = createRoomPurgeStore(testDatabase.database);
  await sql.query(
    `insert into removed_rooms values (7, '!gone:test.example', 1, 1, '{3}', null);
     insert into receipts
       select 7, n, 'm.read', '', '$e', 1, 0, 1, 1 from generate_series(1, 5) as n;
     insert into receipts values (8, 1, 'm.read', '', '$e', 1, 0, 1, 1);
     insert into backed_up_keys values
       (3, 1, '!gone:test.example', 's', true, 1, 0, '{}'),
       (3, 1, '!other:test.example', 's', true, 1, 0, '{}'),
       (4, 1, '!gone:test.example', 's', true, 1, 0, '{}')`,
  );
  const counts: number[] = [];
  for (let kind = 0; kind < store.kinds; kind++) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    for (let deleted = 2; deleted === 2;)
      counts.push((deleted = await store.deleteSome(kind, 7, 2)));
  }
  assert.deepEqual(
    counts.filter((count) => count > 0),
    [1, 2, 2, 1],
  );
  const { rows } = await sql.query(
    `select (select count(*)::int from receipts) as receipts,
       (select count(*)::int from backed_up_keys) as keys`,
  );
  assert.deepEqual(rows, [{ receipts: 1, keys: 2 }]);
});
