import { connectionOptions } from '../cluster/rpc/address.ts';
import { createClusterStore, type LeaseRow, type WorkerRow } from '../cluster/store.ts';
import { loadConfig, type Config } from '../config/config.ts';
import { openDatabase } from '../database/open-database.ts';
import { workerApps, type WorkerApp } from '../routing/apps.ts';
import type { UpstreamAddress, UpstreamOptions } from '../routing/upstream.ts';
import { httpAddressOf } from './connections.ts';
import { appNameOf } from './roles.ts';
import { poolsOf } from './routing-settings.ts';

function addressOf(text: string): UpstreamAddress {
  const options = connectionOptions(text) as { path?: string; host?: string; port?: number };
  return options.path === undefined
    ? { host: options.host!, port: options.port! }
    : { socketPath: options.path };
}

const isWorkerApp = (app: string): app is WorkerApp => workerApps.some((one) => one === app);

/** The main process, by the listeners of its configuration. */
function mainOf(config: Config): UpstreamOptions[] {
  const address = httpAddressOf(config, 'main');
  if (address === null) return [];
  const [id, app] = ['main', 'main'] as const;
  return [{ id, app, address: addressOf(address), state: 'live', pools: poolsOf(config, id) }];
}

/** Whether these files are those of a worker. */
export const isOfWorker = ({ workers: { app } }: Config): boolean =>
  app !== null && app !== 'homeserver';

/** The main process and the workers of these files, each of which is read after the shared ones. */
export async function workersOfFiles(
  shared: readonly string[],
  files: readonly string[],
): Promise<UpstreamOptions[]> {
  const main = (await loadConfig(shared)).config;
  const workers = await Promise.all(
    files.map(async (file): Promise<UpstreamOptions> => {
      const { config } = await loadConfig([...shared, file]);
      if (!isOfWorker(config)) throw new Error(`${file}: no worker_app: it is no worker’s`);
      const address = httpAddressOf(config, config.workers.name ?? file);
      if (address === null) throw new Error(`${file}: no listener without TLS offers \`client\``);
      const id = config.workers.name ?? file;
      const app = appNameOf(config);
      return {
        id,
        app,
        address: addressOf(address),
        state: 'live',
        pools: poolsOf(config, id),
      };
    }),
  );
  return [...mainOf(main), ...workers];
}

/** Workers as the database knows them: those that live and answer requests. */
export function upstreamsOf(
  rows: readonly Pick<WorkerRow, 'name' | 'app' | 'address' | 'http' | 'isAlive' | 'isDraining'>[],
  config: Config,
): UpstreamOptions[] {
  return rows.flatMap(
    ({ name, app, address: link, http, isAlive, isDraining }): UpstreamOptions[] => {
      if (!isAlive || http === null || !isWorkerApp(app)) return [];
      const state = isDraining ? 'draining' : 'live';
      const pools = poolsOf(config, name);
      return [{ id: name, app, address: addressOf(http), link, state, pools }];
    },
  );
}

/** The processes that are running, and what they do, as they have told the database. */
export async function readCluster(
  config: Config,
): Promise<{ workers: WorkerRow[]; leases: LeaseRow[] }> {
  if (config.database === null) throw new Error('without `database` no workers can be asked for');
  const connection = config.database;
  const database = openDatabase({ connection, readConnections: 1, poolSize: 1 });
  try {
    const store = createClusterStore(database);
    const [workers, leases] = await Promise.all([store.workers(), store.leases()]);
    return { workers, leases };
  } finally {
    await database.close();
  }
}

/** The workers that are running and answer requests. */
export const liveWorkers = async (config: Config): Promise<UpstreamOptions[]> =>
  upstreamsOf((await readCluster(config)).workers, config);
