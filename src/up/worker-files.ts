import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { stringify } from 'yaml';
import type { AppName } from '../config/workers.ts';

/** Only the server's own user may read them: they name the database. */
const fileMode = 0o600;

/** What every process of the set is told beside the admin's configuration. */
export interface SharedSettings {
  /** Null: the configuration names a database. */
  database: pg.ClientConfig | null;
  /** Unix socket of the set's own Redis; null: the configuration names one. */
  redisPath: string | null;
}

/** Writes the configuration that all processes share; gives its path. */
export async function writeSharedFile(folder: string, settings: SharedSettings): Promise<string> {
  const { database, redisPath } = settings;
  const content = {
    ...(database
      ? {
          database: {
            name: 'psycopg2',
            args: {
              host: database.host,
              port: database.port,
              user: database.user,
              dbname: database.database,
              ...(database.password ? { password: database.password } : {}),
            },
          },
        }
      : {}),
    ...(redisPath ? { redis: { enabled: true, path: redisPath } } : {}),
  };
  const path = join(folder, 'shared.yaml');
  await writeFile(path, stringify(content), { mode: fileMode });
  return path;
}

/** Where a process answers: clients' requests, and calls of other processes. */
export interface WorkerSockets {
  http: string;
  calls: string;
}

export const socketsOf = (folder: string, name: string, generation: number): WorkerSockets => ({
  http: join(folder, `${name}.${generation}.sock`),
  calls: join(folder, `${name}.${generation}.calls`),
});

/** Writes the configuration of one process; gives its path. */
export async function writeWorkerFile(
  folder: string,
  worker: { name: string; app: AppName; sockets: WorkerSockets },
): Promise<string> {
  const { name, app, sockets } = worker;
  const names = ['client', 'federation', 'media', 'health', 'metrics'];
  const listeners = [
    { type: 'http', path: sockets.http, mode: '0600', x_forwarded: true, resources: [{ names }] },
    { type: 'http', path: sockets.calls, mode: '0600', resources: [{ names: ['replication'] }] },
  ];
  const isMain = app === 'homeserver';
  const content = {
    worker_app: `synapse.app.${app}`,
    worker_name: name,
    [isMain ? 'listeners' : 'worker_listeners']: listeners,
    // The router has these.
    ...(isMain ? { pid_file: null } : {}),
  };
  const path = join(folder, `${name}.yaml`);
  await writeFile(path, stringify(content), { mode: fileMode });
  return path;
}
