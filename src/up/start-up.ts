import { join } from 'node:path';
import type pg from 'pg';
import type { DestinationStream } from 'pino';
import { declaredRows } from '../apps/declared-rows.ts';
import { linkSecretOf } from '../apps/connections.ts';
import { listenerOptions } from '../apps/listeners.ts';
import { timed, type Progress } from '../apps/open-storage.ts';
import { poolsOf, routingSettingsOf } from '../apps/routing-settings.ts';
import { checkDataFolder } from '../apps/data-folder.ts';
import { loadConfig, type Config } from '../config/config.ts';
import type { AppName } from '../config/workers.ts';
import { startEmbedded } from '../database/embedded/start.ts';
import { firstMigration, migrate } from '../database/migrate.ts';
import type { Database } from '../database/database.ts';
import { openDatabase } from '../database/open-database.ts';
import { lockFolder } from '../kernel/folder-lock.ts';
import type { Log } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import { Started } from '../kernel/started.ts';
import { eventWriterRole } from '../rooms/module.ts';
import { createRouter, type Router } from '../router/router.ts';
import type { WorkerApp } from '../routing/apps.ts';
import { createClassifier } from '../routing/classify.ts';
import { routeTable } from '../routing/table.ts';
import type { UpstreamOptions } from '../routing/upstream.ts';
import { createClusterView, type ClusterView } from './cluster-view.ts';
import { listenForControl, type ControlRequest } from './control.ts';
import { Fleet } from './fleet.ts';
import { startRedis } from './redis-server.ts';
import { controlPathOf, makeRunFolder } from './run-folder.ts';
import { scheduleAsBatch } from './scheduling.ts';
import { clusterTable } from './table.ts';
import { writeSharedFile } from './worker-files.ts';

/** A set of processes that runs. */
export interface RunningSet {
  urls: string[];
  isFirstStart: boolean;
  /** The processes as a table. */
  table(): string;
  /** Changes how many processes of each app run. */
  scale(counts: ReadonlyMap<AppName, number>): Promise<void>;
  /** Replaces every process by a new one with the configuration as it is now. */
  roll(): Promise<void>;
  /** Process ids, by name. */
  pids(): ReadonlyMap<string, number>;
  close(): Promise<void>;
}

export interface StartOptions {
  /** Told of each step. */
  progress?: Progress;
  /** Takes the lines of the processes' logs; null: they go where this process's go. */
  workerLog?: DestinationStream | null;
}

const closeGraceMs = 10_000;
/** Processes that the embedded PostgreSQL has connections for: a dozen each. */
const connectionsOfPostgres = 400;
const defaultCounts: ReadonlyMap<AppName, number> = new Map([['generic_worker', 2]]);

const workerAppOf = (app: AppName): WorkerApp => (app === 'homeserver' ? 'main' : app);

async function createRouterFor(
  config: Config,
  database: Database,
  view: ClusterView,
  log: Log,
): Promise<Router> {
  const settings = await routingSettingsOf(config);
  const table = routeTable(declaredRows(), settings);
  return createRouter({
    listeners: await listenerOptions(config),
    classify: createClassifier(table, settings),
    log,
    metrics: new Metrics(),
    prefer: view.prefer,
    linkSecret: await linkSecretOf(config, database),
  });
}

const upstreamsOf = (fleet: Fleet, config: Config): UpstreamOptions[] =>
  fleet
    .slots()
    .filter((slot) => slot.isReady)
    .map((slot) => ({
      id: slot.name,
      app: workerAppOf(slot.app),
      address: { socketPath: slot.sockets.http },
      link: slot.sockets.calls,
      state: slot.isDraining ? 'draining' : 'live',
      pools: poolsOf(config, slot.name),
    }));

function countsIn(counts: Readonly<Record<string, number>>): Map<AppName, number> {
  return new Map(Object.entries(counts) as [AppName, number][]);
}

/** Starts everything on this machine: database and Redis unless configured, workers, router. */
export async function startUp(
  configPaths: readonly string[],
  log: Log,
  options: StartOptions = {},
): Promise<RunningSet> {
  const started = new Started();
  try {
    return await start(configPaths, log, started, options);
  } catch (error) {
    await started.close();
    throw error;
  }
}

async function start(
  configPaths: readonly string[],
  log: Log,
  started: Started,
  { progress = () => undefined, workerLog = null }: StartOptions,
): Promise<RunningSet> {
  const { config } = await loadConfig(configPaths);
  await checkDataFolder(config);
  await scheduleAsBatch(process.pid);
  const lock = await lockFolder(config.dataDir);
  started.add(lock.release);
  const folder = await makeRunFolder(config.dataDir);
  started.add(folder.remove);
  const embedded = config.database
    ? null
    : await timed(progress, 'started PostgreSQL', () =>
        startEmbedded(join(config.dataDir, 'postgres'), log, {
          settings: { max_connections: String(connectionsOfPostgres) },
        }),
      );
  if (embedded) started.add(embedded.close);
  const connection = embedded?.connection ?? (config.database as pg.ClientConfig);
  const applied = await timed(progress, 'checked the database schema', () => migrate(connection));
  const redisPath = config.workers.redis ? null : join(folder.path, 'redis.sock');
  if (redisPath) {
    const redis = await timed(progress, 'started Redis', () => startRedis(redisPath, log));
    started.add(redis.close);
  }
  const sharedFile = await writeSharedFile(folder.path, {
    database: embedded?.connection ?? null,
    redisPath,
  });
  const database = openDatabase({ connection, readConnections: 1, poolSize: 1 });
  started.add(() => database.close());
  const view = createClusterView(database, log, {
    readsFollowWrites: !config.workers.holders.has(eventWriterRole.name),
  });
  started.add(view.close);
  const router = await createRouterFor(config, database, view, log);
  const fleet = new Fleet({
    folder: folder.path,
    configPaths: [...configPaths, sharedFile],
    log,
    workerLog,
    changed() {
      router.setUpstreams(upstreamsOf(fleet, config));
      view.refresh().catch(() => undefined);
    },
  });
  started.add(() => fleet.stop());
  const counts = config.workers.counts.size > 0 ? config.workers.counts : defaultCounts;
  const wanted = new Map<AppName, number>([['homeserver', 1], ...counts]);
  const total = [...wanted.values()].reduce((sum, count) => sum + count, 0);
  await timed(progress, `started ${total} processes`, () => fleet.scale(wanted));
  await view.refresh();
  started.add(() => router.close(closeGraceMs));
  const urls = await router.listen();

  const table = () => clusterTable(view.workers(), view.leases());
  const set: RunningSet = {
    urls,
    isFirstStart: applied.includes(firstMigration),
    table,
    scale: (changed) => fleet.scale(changed),
    roll: () => fleet.roll(),
    pids: () => new Map(fleet.slots().map(({ name, process }) => [name, process.pid ?? 0])),
    close: () => started.close(),
  };
  const control = await listenForControl(controlPathOf(config.dataDir), (request) =>
    obey(set, view, request),
  );
  started.add(control.close);
  return set;
}

async function obey(set: RunningSet, view: ClusterView, request: ControlRequest): Promise<string> {
  if (request.command === 'scale') await set.scale(countsIn(request.counts));
  else if (request.command === 'roll') await set.roll();
  else if (request.command !== 'table') throw new Error('not a command');
  await view.refresh();
  return set.table();
}
