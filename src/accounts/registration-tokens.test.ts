import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import { createRegistrationTokens, type RegistrationTokens } from './registration-tokens.ts';
import { createUiAuthSessions, type UiAuthSession } from './ui-auth-sessions.ts';

let testDatabase: TestDatabase;
let sql: pg.Client;
let nowTs = 1_000;
let tokens: RegistrationTokens;
let sessions: ReturnType<typeof createUiAuthSessions>;

before(async () => {
  testDatabase = await createTestDatabase();
  sql = new pg.Client(testDatabase.connection);
  await sql.connect();
  const clock = { now: () => nowTs };
  tokens = createRegistrationTokens(testDatabase.database, clock);
  sessions = createUiAuthSessions(testDatabase.database, clock);
});
after(async () => {
  await sql.end();
  await testDatabase.close();
});
beforeEach(async () => {
  await sql.query('truncate registration_tokens, ui_auth_sessions');
  await sql.query(`insert into registration_tokens (token, uses_allowed) values ('two', 2)`);
});

async function open(id: string): Promise<UiAuthSession> {
  const session: UiAuthSession = {
    id,
    createdTs: nowTs,
    operation: 'POST /register',
    description: 'register',
    request: {},
    completed: {},
    passwordHash: null,
    registeredUserId: null,
    registrationToken: null,
  };
  await sessions.save(session);
  return session;
}

async function counts(): Promise<number[]> {
  const { rows } = await sql.query('select pending, completed from registration_tokens');
  return [rows[0].pending, rows[0].completed];
}

test('a session holds a token once, however often it is asked at the same time', async () => {
  await open('a');
  const held = await Promise.all([1, 2, 3, 4].map(() => tokens.hold('two', 'a')));
  assert.deepEqual(held, ['two', 'two', 'two', 'two']);
  assert.deepEqual(await counts(), [1, 0]);
  await open('b');
  await open('c');
  assert.equal(await tokens.hold('none', 'b'), null);
  assert.equal(await tokens.hold('two', 'b'), 'two');
  assert.equal(await tokens.hold('two', 'c'), null);
  // Another than it has.
  assert.equal(await tokens.hold('none', 'b'), 'two');
  assert.deepEqual(await counts(), [2, 0]);
});

test('a request that read the session before does not lose its token or password', async () => {
  const stale = await open('a');
  await tokens.hold('two', 'a');
  await sessions.save({ ...stale, passwordHash: 'hash' });
  await sessions.save({ ...stale, completed: { 'm.login.dummy': true } });
  const { registrationToken, passwordHash, completed } = (await sessions.load('a'))!;
  assert.deepEqual(
    [registrationToken, passwordHash, completed],
    ['two', 'hash', { 'm.login.dummy': true }],
  );
});

test('a session leads to one account, and its token counts as used once', async () => {
  await open('a');
  await tokens.hold('two', 'a');
  const used = await Promise.all([1, 2, 3].map(() => tokens.use('a', 'name')));
  assert.equal(used.filter(Boolean).length, 1);
  assert.deepEqual(await counts(), [0, 1]);
  await tokens.reopen('a');
  assert.deepEqual(await counts(), [1, 0]);
  assert.equal(await tokens.use('a', 'other'), true);
  assert.deepEqual(await counts(), [0, 1]);
});

test('what is abandoned gives its token back, what is done does not', async () => {
  for (const id of ['done', 'left']) {
    // oxlint-disable-next-line no-await-in-loop
    await open(id);
    // oxlint-disable-next-line no-await-in-loop
    await tokens.hold('two', id);
  }
  await tokens.use('done', 'name');
  assert.equal(await tokens.isUsable('two'), false);
  nowTs += 49 * 60 * 60 * 1000;
  await sessions.removeOld();
  assert.deepEqual(await counts(), [0, 1]);
  assert.equal(await tokens.isUsable('two'), true);
});
