import {
  createClient,
  createCluster,
  createSentinel,
  type RedisClientOptions,
} from '@redis/client';

/** Where Redis is. */
export interface RedisOptions {
  /** Host and port, or the path of a unix socket. */
  at: { host: string; port: number } | { path: string };
  username: string | null;
  password: string | null;
  /** Number of the database. Pub/sub does not know databases; it becomes part of the channel. */
  database: number;
  tls: { ca: string | null; certificate: string | null; key: string | null } | null;
  /** Name of the primary and the addresses of Sentinels, which know where it is. */
  sentinel: { name: string; nodes: readonly { host: string; port: number }[] } | null;
  /** Some nodes of a Redis Cluster, which know the others. */
  cluster: readonly { host: string; port: number }[] | null;
}

/** What is used of a client, whatever it is connected to. */
export interface RedisConnection {
  connect(): Promise<unknown>;
  publish(channel: string, text: string): Promise<unknown>;
  subscribe(channel: string, listener: (text: string) => void): Promise<unknown>;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  destroy(): unknown;
}

const reconnectMsMax = 1_000;
const reconnectMsStep = 100;
const connectMsMax = 2_000;
/** Messages that wait for a connection; later ones are dropped, which the bus makes up for. */
const queueMax = 10_000;

function clientOptions(options: RedisOptions): RedisClientOptions {
  const { at, tls } = options;
  const socket = {
    ...at,
    connectTimeout: connectMsMax,
    reconnectStrategy: (tries: number) => Math.min(tries * reconnectMsStep, reconnectMsMax),
    ...(tls
      ? {
          tls: true as const,
          ...(tls.ca ? { ca: tls.ca } : {}),
          ...(tls.certificate ? { cert: tls.certificate } : {}),
          ...(tls.key ? { key: tls.key } : {}),
        }
      : {}),
  };
  return {
    socket: socket,
    ...(options.username ? { username: options.username } : {}),
    ...(options.password ? { password: options.password } : {}),
    commandsQueueMaxLength: queueMax,
    // What cannot be sent now is not worth sending later: the database has it.
    disableOfflineQueue: true,
  };
}

/** Resolves when Redis answers. Throws its error when it does not, or does not let us in. */
export async function tryRedis(options: RedisOptions): Promise<void> {
  const connection = openRedis(options, 'subscribe');
  try {
    await new Promise<unknown>((resolve, reject) => {
      connection.on('error', reject);
      connection.connect().then(resolve, reject);
    });
  } finally {
    connection.destroy();
  }
}

/** A client that connects, and comes back when it is lost, by itself once `connect` was called. */
export function openRedis(
  options: RedisOptions,
  purpose: 'publish' | 'subscribe',
): RedisConnection {
  const own = clientOptions(options);
  // Subscriptions wait for the connection; messages don't.
  const each = purpose === 'subscribe' ? { ...own, disableOfflineQueue: false } : own;
  const { socket: _socket, ...shared } = each;
  const nodeOptions = options.tls ? { ...shared, socket: { tls: true } } : shared;
  if (options.sentinel) {
    const { name, nodes } = options.sentinel;
    return createSentinel({
      name,
      sentinelRootNodes: [...nodes],
      nodeClientOptions: nodeOptions,
      scanInterval: reconnectMsMax,
    });
  }
  if (options.cluster) {
    return createCluster({
      rootNodes: options.cluster.map((socket) => ({ socket: { ...socket } })),
      defaults: nodeOptions,
    });
  }
  return createClient(each);
}
