import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import pg from 'pg';
import type { Database } from '../database/database.ts';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import { createLocalBus } from '../streams/bus.ts';
import { createIndexer } from './indexer.ts';

const events = 1_200;

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
  await sql.query('truncate events, event_types, searchable_events restart identity');
  await sql.query('update search_cursor set pos = 0');
  await sql.query(
    `with t as (insert into event_types (event_type) values ('m.room.message') returning type_nid)
     insert into events (room_nid, event_nid, pos, event_id, type_nid, sender_nid, origin_server_ts,
         depth, content, envelope, content_at)
       select 1, n, n, '$' || n, type_nid, 1, 0, 1,
         '{"body":"word' || n || '","msgtype":"m.text"}', '', 0
       from t, generate_series(1, ${events}) n`,
  );
});

function indexer(database: Database = testDatabase.database) {
  const bus = createLocalBus({
    position: events,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  return createIndexer({ database, bus });
}

/** A process that dies at the end of its second batch, before it is committed. */
function dying(): Database {
  const { database } = testDatabase;
  let batches = 0;
  return {
    ...database,
    transaction: (work) =>
      database.transaction(async (tx) => {
        const result = await work(tx);
        if (++batches === 2) throw new Error('died');
        return result;
      }),
  };
}

async function indexed(): Promise<{ found: number; cursor: number }> {
  const { rows } = await sql.query(
    `select (select count(*)::int from searchable_events) as found,
       (select pos::int from search_cursor) as cursor`,
  );
  return rows[0];
}

test('what a process leaves behind when it dies is done by the next, and nothing twice', async () => {
  await assert.rejects(indexer(dying()).index(), /died/);
  const { found, cursor } = await indexed();
  assert.ok(found > 0 && found < events && cursor < events);
  await indexer().index();
  assert.deepEqual(await indexed(), { found: events, cursor: events });
});

test('processes that work at once take turns, whoever of them dies', async () => {
  const died = assert.rejects(indexer(dying()).index(), /died/);
  await Promise.all([indexer().index(), indexer().index(), died.catch(() => undefined)]);
  assert.deepEqual(await indexed(), { found: events, cursor: events });
});
