import { chmod, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type pg from 'pg';
import { makeFolder } from '../../kernel/make-folder.ts';
import {
  databaseName,
  ensureCluster,
  ensureDatabase,
  socketFolderFor,
  socketPort,
  superuser,
} from './cluster.ts';
import { linkLibraries, locatePostgres } from './install.ts';
import { stopLeftover, type SupervisorLog } from './leftover.ts';
import { Postmaster } from './postmaster.ts';
import { createRunner } from './run-as.ts';
import { renderSettings } from './settings.ts';

export interface EmbeddedPostgres {
  /** How to connect, through a unix socket. */
  connection: pg.ClientConfig;
  /** Process id of the server now. */
  pid(): number;
  /** Stops it; transactions under way are rolled back. */
  close(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Settings that differ from the usual ones, as they stand in `postgresql.conf`. */
  settings?: Readonly<Record<string, string>>;
}

/**
 * Starts the server's own PostgreSQL with its data in `folder`, which is made at the first start,
 * and keeps it running until `close`. It listens on a unix socket only and runs as an ordinary
 * user, also when started by root. Throws an Error that says why it cannot.
 */
export async function startEmbedded(
  folder: string,
  log: SupervisorLog,
  options: EmbeddedOptions = {},
): Promise<EmbeddedPostgres> {
  const native = locatePostgres();
  await linkLibraries(native);
  const base = resolve(folder);
  const data = join(base, 'data');
  await makeFolder(base);
  const runner = await createRunner([native, base]);
  await ensureCluster(runner, native, data);
  await runner.adopt(data);
  await stopLeftover(data, log);
  const socket = await socketFolderFor(base);
  await chmod(socket.folder, 0o700);
  await runner.own(socket.folder);
  const removeSocketFolder = async () => {
    if (socket.isTemporary) await rm(socket.folder, { recursive: true, force: true });
  };
  // This file is read last, so nothing in the folder overrides it.
  await writeFile(
    join(data, 'postgresql.auto.conf'),
    renderSettings(socket.folder, options.settings),
  );
  const connection: pg.ClientConfig = {
    host: socket.folder,
    port: socketPort,
    user: superuser,
    database: databaseName,
  };
  const postmaster = new Postmaster({ runner, native, data, log });
  const close = async () => {
    await postmaster.stop();
    await removeSocketFolder();
  };
  try {
    await postmaster.start();
    await ensureDatabase(connection);
  } catch (error) {
    await close();
    throw error;
  }
  return { connection, pid: () => postmaster.pid, close };
}
