import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import type { Clock } from '../kernel/clock.ts';
import { createRendezvousSessions } from './sessions.ts';
import { createSessionStore } from './store/sessions.ts';

let opened: TestDatabase;
before(async () => {
  opened = await createTestDatabase();
});
after(() => opened.close());

test('sessions end after two minutes, whatever is written meanwhile', async () => {
  let now = 1_000;
  const clock: Clock = { now: () => now };
  const store = createSessionStore(opened.database);
  const sessions = createRendezvousSessions(store, clock, 4108);
  const { id, session } = await sessions.create(Buffer.from('a'));
  assert.equal(sessions.expiresInMs(session), 120_000);
  now += 119_999;
  const { isWritten, current } = await sessions.put(id, session.revision, Buffer.from('b'));
  assert.ok(isWritten);
  assert.equal(current.expiresTs, session.expiresTs);
  now += 1;
  const gone = { code: 'M_NOT_FOUND' };
  await assert.rejects(sessions.get(id), gone);
  await assert.rejects(sessions.put(id, current.revision, Buffer.from('c')), gone);
  await assert.rejects(sessions.delete(id), gone);
});

test('of two who write at once one learns that it came late', async () => {
  const sessions = createRendezvousSessions(
    createSessionStore(opened.database),
    { now: () => 5_000 },
    4388,
  );
  const { id, session } = await sessions.create(Buffer.from('a'));
  const done = await Promise.all(
    ['b', 'c'].map((text) => sessions.put(id, session.revision, Buffer.from(text))),
  );
  assert.equal(done.filter(({ isWritten }) => isWritten).length, 1);
});

test('there are no more sessions at once than there is room for; expired ones make room', async () => {
  let now = 1_000_000;
  const sessions = createRendezvousSessions(
    createSessionStore(opened.database),
    { now: () => now },
    4108,
  );
  const wishes = Array.from({ length: 2_010 }, () => sessions.create(Buffer.from('x')));
  const results = await Promise.allSettled(wishes);
  const refused = results.filter(({ status }) => status === 'rejected');
  assert.ok(refused.length >= 5, `${refused.length}`);
  await assert.rejects(sessions.create(Buffer.from('x')), { code: 'M_LIMIT_EXCEEDED' });
  now += 120_000;
  await sessions.create(Buffer.from('x'));
});
