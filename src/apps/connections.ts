import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { clusterSecret, createCluster, type Cluster } from '../cluster/cluster.ts';
import { createLocalRoles, type Roles } from '../cluster/role.ts';
import { createClusterStore, type WorkerRow } from '../cluster/store.ts';
import type { Config } from '../config/config.ts';
import type { ListenerConfig, ResourceName } from '../config/listeners.ts';
import type { RedisConfig } from '../config/redis.ts';
import type { Database } from '../database/database.ts';
import { lastStreamPosition, settledPosition } from '../database/positions.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { randomLetters } from '../kernel/random.ts';
import { tcpAddress } from '../kernel/tcp-address.ts';
import { version } from '../kernel/version.ts';
import { createLocalBus, type Bus } from '../streams/bus.ts';
import { createClusterBus } from '../streams/cluster-bus.ts';
import type { RedisOptions } from '../streams/redis/connect.ts';
import { listenForCalls } from './listen-for-calls.ts';
import { createProcessStats } from './process-stats.ts';
import { appNameOf, willingnessOf } from './roles.ts';

/** What ties a process to the others of its server; to nobody, when it is the only one. */
export interface Connections {
  bus: Bus;
  roles: Roles;
  /** What this process is called. */
  name: string;
  /** The processes of the server, as last seen; none in a single process. */
  workers(): readonly WorkerRow[];
  /** Begins to hear the others, once everybody here listens. */
  join(): Promise<void>;
  /**
   * Tells the others where this process answers, once it does, and takes a share of the work.
   * `takeLink` gets the connections of routers.
   */
  announce(takeLink: (socket: Socket) => void): Promise<void>;
  /** Gives all work to the others. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

export interface ConnectionsNeeds {
  config: Config;
  database: Database;
  clock: Clock;
  log: Log;
  /** Requests answered so far. */
  answered(): number;
}

const nothing = async () => {};
const instanceLetters = 10;

async function createAlone({ database, clock, log }: ConnectionsNeeds): Promise<Connections> {
  const bus = createLocalBus({
    position: await lastStreamPosition(database),
    ephemeralPosition: clock.now(),
    onReaderError: (error) => log.error({ err: error }, 'bug: a reader of streams failed'),
  });
  const roles = createLocalRoles();
  return {
    name: 'main',
    bus,
    roles,
    workers: () => [],
    join: nothing,
    announce: nothing,
    drain: nothing,
    close: nothing,
  };
}

const fileOrNull = (path: string | null) => (path === null ? null : readFile(path, 'utf8'));

/** What routers prove themselves with when they ask processes for links. */
export const linkSecretOf = async (config: Config, database: Database): Promise<string> =>
  clusterSecret(createClusterStore(database), config.workers.secret);

/** The options of the Redis client, with the contents of the files. */
export async function redisOptions(redis: RedisConfig): Promise<RedisOptions> {
  const { tls, ...same } = redis;
  return {
    ...same,
    tls: tls && {
      ca: await fileOrNull(tls.caPath),
      certificate: await fileOrNull(tls.certificatePath),
      key: await fileOrNull(tls.keyPath),
    },
  };
}

/** The listener for clients' requests; workers for media may have one for media alone. */
export function frontListenerOf({ listeners, workers }: Config): ListenerConfig | undefined {
  const plain = listeners.filter(({ tls }) => !tls);
  const offering = (name: ResourceName) => plain.find(({ resources }) => resources.includes(name));
  return offering('client') ?? (workers.app === 'media_repository' ? offering('media') : undefined);
}

/**
 * Where clients' requests can be passed on to a process; null: nowhere. One that listens on every
 * address is reached at the host that `instance_map` names for it, else on its own machine.
 */
export function httpAddressOf(config: Config, name: string): string | null {
  const listener = frontListenerOf(config);
  if (!listener) return null;
  const { at } = listener;
  if ('path' in at) return at.path;
  const [address = '127.0.0.1'] = at.addresses;
  const isEvery = address === '::' || address === '0.0.0.0';
  const known = config.workers.instances.get(name);
  const host = known && 'host' in known ? known.host : '127.0.0.1';
  return tcpAddress(isEvery ? host : address, at.port);
}

async function createTogether(needs: ConnectionsNeeds): Promise<Connections> {
  const { config, database, clock, log } = needs;
  const { workers, serverName } = config;
  const app = appNameOf(config);
  const instance = randomLetters(instanceLetters);
  const name = workers.name ?? (app === 'main' ? 'main' : `${app}-${hostname()}-${process.pid}`);
  const redis = workers.redis;
  if (!redis)
    throw new Error('a worker needs `redis` with `enabled: true`, as all the others have');
  // A server alone does not load the Redis client, which is a quarter of all files.
  const { createRedisTransport } = await import('../streams/redis/transport.ts');
  const transport = createRedisTransport(await redisOptions(redis), `lattice/${serverName}`, log);
  const bus = createClusterBus({
    tag: instance,
    database,
    transport,
    clock,
    log,
    position: await settledPosition(database),
  });
  const stats = createProcessStats(needs.answered, () => bus.lag());
  let takeLink = (socket: Socket): void => void socket.destroy();
  const cluster: Cluster = await createCluster({
    database,
    bus,
    log,
    secret: config.workers.secret,
    takeLink: (socket) => takeLink(socket),
    self: {
      instance,
      name,
      app,
      version,
      willingness: (role) => willingnessOf(role, { app, name }, workers),
      stats: () => JSON.stringify(stats.read()),
    },
  });
  return {
    name,
    bus,
    roles: cluster.roles,
    workers: () => cluster.workers(),
    join: () => transport.open(),
    async announce(links) {
      takeLink = links;
      const address = await listenForCalls(cluster.rpc.server, config, name);
      await cluster.join({ address, http: httpAddressOf(config, name) });
    },
    drain: () => cluster.drain(),
    async close() {
      await cluster.leave();
      await cluster.rpc.close();
      await bus.close();
      await transport.close();
    },
  };
}

export const openConnections = (needs: ConnectionsNeeds): Promise<Connections> =>
  needs.config.workers.app === null ? createAlone(needs) : createTogether(needs);
