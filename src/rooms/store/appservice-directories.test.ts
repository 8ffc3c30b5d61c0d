import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../database/test-database.ts';
import pg from 'pg';
import { createAppserviceDirectoryStore } from './appservice-directories.ts';

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

test('a room that is deleted leaves all directories; others stay', async () => {
  const insert = `insert into rooms (room_id, room_version, created_ts) values ($1, '12', 0)`;
  await sql.query(insert, ['!a']);
  await sql.query(insert, ['!b']);
  const directories = createAppserviceDirectoryStore(testDatabase.database);
  for (const networkId of ['one', 'two']) {
    // oxlint-disable-next-line no-await-in-loop
    await directories.set({ appserviceId: 'irc', networkId }, '!a', true);
  }
  await directories.set({ appserviceId: 'irc', networkId: 'one' }, '!b', true);
  await sql.query(`delete from rooms where room_id = '!a'`);
  const { rows } = await sql.query(
    'select network_id, room_id from appservice_directories join rooms using (room_nid)',
  );
  assert.deepEqual(rows, [{ network_id: 'one', room_id: '!b' }]);
  const count = await sql.query('select from appservice_directories');
  assert.equal(count.rowCount, 1);
});
