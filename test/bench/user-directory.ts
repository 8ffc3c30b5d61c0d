// How long searches take in a directory of many users: `node test/bench/user-directory.ts [users]`.
import pg from 'pg';
import { createTestDatabase } from '../../src/database/test-database.ts';
import { renewEntries } from '../../src/user-directory/entries.ts';
import { findUsers } from '../../src/user-directory/store/search.ts';

const users = Number(process.argv[2] ?? 100_000);
const searches = 400;
const batch = 500;
const names = 'Alice Bob Carol Dave Eve Frank Grace Heidi Ivan Judy Mallory Niaj Olivia'.split(' ');

/** Each user is in five rooms of about a hundred, every fifth in one of a fifth of all. */
async function fill(sql: pg.Client): Promise<void> {
  const localparts = names.map((name) => name.toLowerCase());
  await sql.query('alter table accounts disable trigger all');
  await sql.query('alter table profile_fields disable trigger all');
  await sql.query(
    `insert into users (user_id)
       select '@' || (($1::text[])[1 + i % $2]) || i || ':here' from generate_series(1, $3::int) i`,
    [localparts, names.length, users],
  );
  await sql.query('insert into accounts (user_nid, created_ts) select user_nid, 0 from users');
  await sql.query(
    `insert into profile_fields select user_nid, 'displayname',
       to_json((($1::text[])[1 + (user_nid * 7) % $2]) || ' Smith' || (user_nid % 5000))::text
     from users`,
    [names, names.length],
  );
  await sql.query(
    `insert into rooms (room_id, room_version, created_ts)
       select '!r' || i, '12', 0 from generate_series(1, $1::int) i`,
    [users / 20],
  );
  const join = `insert into memberships
    (user_nid, room_nid, membership, event_nid, pos, sender_nid, is_local)`;
  await sql.query(
    `${join} select user_nid, 10 + (user_nid * k * 31) % ($1::int - 10), 'join', 1, 1, 1, true
     from users, generate_series(1, 5) k on conflict do nothing`,
    [users / 20],
  );
  await sql.query(
    `${join} select user_nid, 1, 'join', 1, 1, 1, true from users where user_nid % 5 = 0`,
  );
  // A tenth of the rooms are public.
  await sql.query(
    `insert into user_directory_public_rooms select room_nid from rooms where room_nid % 10 = 0`,
  );
  await sql.query('analyze');
}

const { database, connection, close } = await createTestDatabase();
const sql = new pg.Client(connection);
await sql.connect();
await fill(sql);

const started = performance.now();
for (let first = 1; first <= users; first += batch) {
  const userNids = Array.from({ length: batch }, (_, i) => first + i);
  // oxlint-disable-next-line no-await-in-loop
  await database.transaction((tx) => renewEntries(tx, userNids));
}
console.log(`${users} entries: ${((performance.now() - started) / users).toFixed(3)} ms each`);
await sql.query('vacuum analyze');

async function measure(what: string, words: string[]): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < searches; i++) {
    const before = performance.now();
    // oxlint-disable-next-line no-await-in-loop
    await findUsers(database, {
      searcherNid: 1 + ((i * 37) % users),
      words,
      term: words.join(' '),
      serverPrefix: '',
      findsAll: false,
      excludesRemote: false,
      showsLocked: false,
      prefersLocal: false,
      excludedUserIds: [],
      limit: 11,
    });
    times.push(performance.now() - before);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(share * searches)]!.toFixed(2);
  console.log(`${what}: median ${at(0.5)} ms, p99 ${at(0.99)} ms`);
}

await measure('a localpart', ['alice26']);
await measure('a surname', ['smith4999']);
await measure('nobody', ['zzz']);
await measure('one letter', ['a']);
await measure('a first name', ['alice']);
await measure('two words that many have', ['alice', 'smith']);
await measure('two words, few have both', ['smith1', 'al']);
await measure('two letters', ['s', 'a']);
await sql.end();
await close();
