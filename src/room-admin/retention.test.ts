import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import { createRetentionSweep, type RetentionConfig } from './retention.ts';
import { createJobStore } from './store/jobs.ts';
import { createHistoryPurgeStore } from './store/purge-history.ts';

const day = 86_400_000;
const nowTs = 100 * day;
let testDatabase: TestDatabase;
let sql: pg.Client;

before(async () => {
  testDatabase = await createTestDatabase();
  sql = new pg.Client(testDatabase.connection);
  await sql.connect();
  await sql.query(
    `insert into event_types (event_type) values ('m.room.message'), ('m.room.retention')`,
  );
  await sql.query(`insert into users (user_id) values ('@a:test.example')`);
});
after(async () => {
  await sql.end();
  await testDatabase.close();
});

let pos = 0;

/** A room with a message of each age in days, and a policy. */
async function makeRoom(name: string, maxLifetime: unknown, ages: number[]): Promise<number> {
  const { rows } = await sql.query<{ nid: string }>(
    `insert into rooms (room_id, room_version, created_ts) values ($1, '11', 1)
     returning room_nid as nid`,
    [`!${name}`],
  );
  const nid = Number(rows[0]!.nid);
  const insert = (type: string, stateKey: string | null, ts: number, content: string) =>
    sql.query(
      `insert into events (room_nid, event_nid, pos, event_id, type_nid, state_key, sender_nid,
           origin_server_ts, depth, content, envelope, content_at)
         select $1, $2, $2, $3, t.type_nid, $4, u.user_nid, $5, 1, $6, '{}', 1
         from event_types t, users u where t.event_type = $7`,
      [nid, ++pos, `$${pos}`, stateKey, ts, content, type],
    );
  if (maxLifetime !== undefined) {
    await insert('m.room.retention', '', 1, JSON.stringify({ max_lifetime: maxLifetime }));
    await sql.query(
      `insert into room_state (room_nid, type_nid, state_key, event_nid, from_pos)
         select $1, type_nid, '', $2, $2 from event_types where event_type = 'm.room.retention'`,
      [nid, pos],
    );
  }
  // oxlint-disable-next-line no-await-in-loop -- in their order
  for (const age of ages) await insert('m.room.message', null, nowTs - age * day, '{}');
  return nid;
}

async function sweep(config: Partial<RetentionConfig>, ts = nowTs): Promise<[string, number][]> {
  await sql.query('delete from room_jobs');
  let drafts = 0;
  const run = createRetentionSweep({
    config: {
      defaultMs: null,
      allowedMinMs: null,
      allowedMaxMs: null,
      purgeJobs: [{ everyMs: day, aboveMs: null, uptoMs: null }],
      ...config,
    },
    store: createJobStore(testDatabase.database),
    jobs: {
      draft: () => ({ jobId: `job${++drafts}`, shard: 0 }),
      expectNow: () => undefined,
    },
    clock: { now: () => ts },
  });
  await run();
  const { rows } = await sql.query<{ id: string; params: string }>(
    'select room_id as id, params from room_jobs order by room_id',
  );
  return rows.map(({ id, params }) => [
    id,
    (ts - (JSON.parse(params) as { beforeTs: number }).beforeTs) / day,
  ]);
}

test('rooms with something too old get a job, by their policy or the default', async () => {
  await makeRoom('short', 2 * day, [5, 3, 1]);
  await makeRoom('long', 10 * day, [20]);
  await makeRoom('fresh', 50 * day, [20]);
  await makeRoom('none', undefined, [20]);
  await makeRoom('odd', 'soon', [20]);
  let ts = nowTs;
  const at = (config: Partial<RetentionConfig>) => sweep(config, (ts += day));
  assert.deepEqual(await at({}), [
    ['!long', 10],
    ['!short', 2],
  ]);
  assert.deepEqual(await at({ defaultMs: 15 * day }), [
    ['!long', 10],
    ['!none', 15],
    ['!odd', 15],
    ['!short', 2],
  ]);
  assert.deepEqual(await at({ allowedMinMs: 4 * day, allowedMaxMs: 8 * day }), [
    ['!fresh', 8],
    ['!long', 8],
    ['!short', 4],
  ]);
  const within = (aboveMs: number | null, uptoMs: number | null) => ({
    purgeJobs: [{ everyMs: day, aboveMs, uptoMs }],
  });
  assert.deepEqual(await at(within(null, 2 * day)), [['!short', 2]]);
  assert.deepEqual(await at(within(2 * day, null)), [['!long', 10]]);
});

test('a job runs once in its interval', async () => {
  const config = { purgeJobs: [{ everyMs: day, aboveMs: 1, uptoMs: 2 * day }] };
  const ts = nowTs + 20 * day;
  assert.equal((await sweep(config, ts)).length, 1);
  assert.equal((await sweep(config, ts + day - 1)).length, 0);
  assert.equal((await sweep(config, ts + day)).length, 1);
});

test('messages that are too old go, but for state and the newest event', async () => {
  const nid = await makeRoom('purged', day, [9, 8, 7, 0.5, 6]);
  const history = createHistoryPurgeStore(testDatabase.database);
  assert.equal(await history.upToTime(nid, nowTs - day, 2), 2);
  assert.equal(await history.upToTime(nid, nowTs - day, 2), 1);
  const { rows } = await sql.query<{ age: number }>(
    `select (($2::bigint - origin_server_ts) / ${day}::float)::float as age from events
     where room_nid = $1 and state_key is null order by pos`,
    [nid, nowTs],
  );
  assert.deepEqual(
    rows.map(({ age }) => age),
    [0.5, 6],
  );
});

test('threads are counted anew, and what hangs on deleted events goes', async () => {
  const nid = await makeRoom('threads', undefined, [9, 8, 7, 6]);
  const { rows: events } = await sql.query<{ nid: string; id: string }>(
    'select event_nid as nid, event_id as id from events where room_nid = $1 order by pos',
    [nid],
  );
  const [root, first, second, last] = events.map((event) => ({ ...event, nid: Number(event.nid) }));
  for (const reply of [first!, second!, last!]) {
    // oxlint-disable-next-line no-await-in-loop
    await sql.query(
      `insert into event_relations
         values ($1, $2::bigint, $3, 'm.thread', null, 1, 1, $2, 0)`,
      [nid, reply.nid, root!.id],
    );
  }
  await sql.query('insert into threads values ($1, $2, 3, $3, 0)', [nid, root!.id, last!.nid]);
  await sql.query(`insert into searchable_events values ($1, $2::bigint, 1, 1, $2, 0, '')`, [
    nid,
    first!.nid,
  ]);
  const history = createHistoryPurgeStore(testDatabase.database);
  const page = { after: { pos: -1, sub: 0 }, to: { pos: second!.nid, sub: 0 }, limit: 10 };
  const spared = await history.upToPlace(nid, { ...page, spared: 'test.example' });
  assert.deepEqual(spared, { read: 2, deleted: 0, pos: first!.nid, sub: 0 });
  const done = await history.upToPlace(nid, { ...page, spared: null });
  assert.deepEqual(done, { read: 2, deleted: 2, pos: first!.nid, sub: 0 });
  const { rows } = await sql.query(
    `select event_count as count, last_pos::int as last,
       (select count(*)::int from event_relations where room_nid = $1) as relations,
       (select count(*)::int from searchable_events where room_nid = $1) as texts
     from threads where room_nid = $1`,
    [nid],
  );
  assert.deepEqual(rows, [{ count: 2, last: last!.nid, relations: 2, texts: 0 }]);
  const end = await history.upToPlace(nid, { ...page, spared: null });
  assert.deepEqual(end, { read: 0, deleted: 0, pos: null, sub: null });
});
