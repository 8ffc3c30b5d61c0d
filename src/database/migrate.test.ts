import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { firstMigration, migrate } from './migrate.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

let testDatabase: TestDatabase;
let client: pg.Client;
before(async () => {
  testDatabase = await createTestDatabase();
  client = new pg.Client(testDatabase.connection);
  await client.connect();
});
after(async () => {
  await client.end();
  await testDatabase.close();
});

const empty = () => client.query('drop schema public cascade; create schema public');

test('the database of another program is refused and stays as it is', async () => {
  await empty();
  await client.query('create table users (name text); create table notes (a int)');
  await assert.rejects(migrate(testDatabase.connection), /has a table "users" of another program/);
  await client.query('create table applied_schema_deltas (version int)');
  await assert.rejects(
    migrate(testDatabase.connection),
    /is Synapse’s, which cannot be taken over/,
  );
  const { rows } = await client.query(
    `select from pg_tables where schemaname = 'public' and tablename = 'schema_migrations'`,
  );
  assert.equal(rows.length, 0);
});

test('an empty one gets the schema, once; other tables do not matter', async () => {
  await empty();
  await client.query('create table notes (a int)');
  assert.equal((await migrate(testDatabase.connection))[0], firstMigration);
  assert.deepEqual(await migrate(testDatabase.connection), []);
});
