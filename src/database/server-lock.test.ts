import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { createLog } from '../kernel/log.ts';
import { startEmbedded } from './embedded/start.ts';
import { acquireServerLock, DatabaseInUse } from './server-lock.ts';
import { createTestDatabase } from './test-database.ts';

const soon = { tries: 3, pauseMs: 10 };
const unexpected = (error: Error) => assert.fail(error);
const quiet = { onLost: unexpected, onAway: () => undefined, onBack: () => undefined, ...soon };

test('a database that is away for long is not taken for lost', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lattice-lock-'));
  const log = createLog('error');
  let server = await startEmbedded(folder, log);
  try {
    const { connection } = server;
    let failures = 0;
    const failed = Promise.withResolvers<void>();
    const back = Promise.withResolvers<void>();
    const lock = await acquireServerLock(connection, 'alone', {
      ...soon,
      onLost: unexpected,
      onAway: () => {
        if (++failures === 2 * soon.tries) failed.resolve();
      },
      onBack: back.resolve,
    });
    await server.close();
    await failed.promise;
    server = await startEmbedded(folder, log);
    await back.promise;
    await assert.rejects(acquireServerLock(connection, 'alone', quiet), DatabaseInUse);
    await lock.release();
    await (await acquireServerLock(connection, 'alone', quiet)).release();
  } finally {
    await server.close();
    await rm(folder, { recursive: true });
  }
});

test('who loses the lock to another process is told', async () => {
  const { connection, close } = await createTestDatabase();
  const admin = new pg.Client(connection);
  await admin.connect();
  try {
    const lost = Promise.withResolvers<Error>();
    const lock = await acquireServerLock(connection, 'alone', { ...quiet, onLost: lost.resolve });
    // Another one waits for it when the connection breaks.
    const other = admin.query('select pg_advisory_lock(7106402002)');
    const { rowCount } = await (async () => {
      const killer = new pg.Client(connection);
      await killer.connect();
      const result = await killer.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 ' +
          'and datname = current_database()',
        [`lattice ${process.pid}`],
      );
      await killer.end();
      return result;
    })();
    assert.equal(rowCount, 1);
    await other;
    assert.ok((await lost.promise) instanceof DatabaseInUse);
    await lock.release();
  } finally {
    await admin.end();
    await close();
  }
});
