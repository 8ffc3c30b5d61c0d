import { join } from 'node:path';
import type pg from 'pg';
import type { Config } from '../config/config.ts';
import type { Database } from '../database/database.ts';
import { startEmbedded, type EmbeddedPostgres } from '../database/embedded/start.ts';
import { firstMigration, migrate } from '../database/migrate.ts';
import { openDatabase } from '../database/open-database.ts';
import { acquireServerLock } from '../database/server-lock.ts';
import { lockFolder } from '../kernel/folder-lock.ts';
import type { Log } from '../kernel/log.ts';

export interface Storage {
  database: Database;
  /** The schema was made just now. */
  isNew: boolean;
  close(): Promise<void>;
}

/** Told of each step of the start and how long it took. */
export type Progress = (step: string, ms: number) => void;

/** Tells of a step when it is done. */
export async function timed<T>(
  progress: Progress,
  step: string,
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now();
  const result = await work();
  progress(step, Math.round(performance.now() - started));
  return result;
}

/** Starts or reaches the database, brings its schema up to date, and takes it for this process. */
export async function openStorage(config: Config, log: Log, progress: Progress): Promise<Storage> {
  const { app } = config.workers;
  if (!config.database && app !== null && app !== 'homeserver') {
    throw new Error('a worker needs `database`: the same as the main process has');
  }
  // Before anything else: the database of a server that runs would be taken for a leftover.
  const folder = config.database ? null : await lockFolder(config.dataDir);
  let embedded: EmbeddedPostgres | null = null;
  try {
    if (folder) {
      embedded = await timed(progress, 'started PostgreSQL', () =>
        startEmbedded(join(config.dataDir, 'postgres'), log),
      );
    }
    const connection = embedded?.connection ?? (config.database as pg.ClientConfig);
    const applied = await timed(progress, 'checked the database schema', () => migrate(connection));
    const isNew = applied.includes(firstMigration);
    if (!isNew) for (const name of applied) log.info({ migration: name }, 'applied a migration');
    const mode = config.workers.app === null ? 'alone' : 'among others';
    let isAway = false;
    const lock = await acquireServerLock(connection, mode, {
      onLost(error) {
        log.error({ err: error }, 'the database was taken over by another process; stopping');
        process.exitCode = 1;
        process.kill(process.pid, 'SIGTERM');
      },
      onAway(error) {
        if (!isAway) log.warn({ reason: error.message }, 'the database is away; trying on');
        isAway = true;
      },
      onBack() {
        if (isAway) log.info('the database is back');
        isAway = false;
      },
    });
    const database = openDatabase({ connection });
    return {
      database,
      isNew,
      async close() {
        await database.close();
        await lock.release();
        await embedded?.close();
        await folder?.release();
      },
    };
  } catch (error) {
    await embedded?.close();
    await folder?.release();
    throw error;
  }
}
