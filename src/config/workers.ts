import { count, flag, kind, list, mapping, port, secretText, text, textOrList } from './kinds.ts';
import { inert, mappingOf, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';
import { readSecret } from './secret-file.ts';
import { readRedis, redisOption, type RedisConfig } from './redis.ts';

export const appNames = [
  'homeserver',
  'generic_worker',
  'media_repository',
  'user_dir',
  'frontend_proxy',
  'pusher',
  'appservice',
  'federation_sender',
] as const;
/** The kinds of process; `homeserver` is the main one. */
export type AppName = (typeof appNames)[number];

/** What Synapse called generic workers by their work, and still takes. */
const formerApps = ['client_reader', 'event_creator', 'federation_reader', 'synchrotron'];

const appName = kind(
  `one of ${appNames.map((app) => `synapse.app.${app}`).join(', ')}`,
  (value) => {
    const name = String(value).replace(/^synapse\.app\./, '');
    return formerApps.includes(name) ? 'generic_worker' : appNames.find((app) => app === name);
  },
);

/** What `stream_writers` may name. */
export const streamNames = [
  'events',
  'typing',
  'to_device',
  'account_data',
  'receipts',
  'presence',
  'push_rules',
  'device_lists',
  'thread_subscriptions',
] as const;

const instance = mappingOf({
  host: optional(text, ''),
  port: optional(port, ''),
  path: optional(text, ''),
  ...inert({ tls: 'calls between processes prove themselves by a secret' }),
});

/** A mapping from names to something of one kind. */
const named = <T>(inner: ReturnType<typeof list<T>> | ReturnType<typeof kind<T>>) => ({
  allowed: `a mapping whose values are ${inner.allowed}`,
  read(value: unknown, at: Parameters<typeof mapping.read>[1]) {
    const given = mapping.read(value, at);
    if (!given) return undefined;
    const read = new Map<string, T>();
    for (const [name, entry] of Object.entries(given)) {
      const result = inner.read(entry, at.within(name)) as T | undefined;
      if (result !== undefined) read.set(name, result);
    }
    return read;
  },
});

const none = () => new Map<string, never>();
const holders = (doc: string) => optional(textOrList, doc);

export const workersSection = section('Workers', 'The server in several processes.', {
  worker_app: optional(appName, 'What this process is. Belongs in a worker’s own file.'),
  worker_name: optional(text, 'The name of this process; one is made when it has none.'),
  worker_replication_secret: optional(
    secretText,
    'What processes prove themselves with. Without it they use one that is kept in the database.',
  ),
  worker_replication_secret_path: optional(text, 'A file with it.'),
  redis: redisOption,
  workers: option(
    named<number>(count),
    none() as Map<string, number>,
    'How many of each kind `lattice up` starts.',
    {
      defaultText: '`generic_worker: 2`',
      example: `
  generic_worker: 2
  media_repository: 1`,
    },
  ),
  instance_map: option(
    named(instance as never),
    none(),
    'Where named processes are called by the others.',
    {
      defaultText: 'none',
      example: `
  main: {host: localhost, port: 9093}`,
    },
  ),
  stream_writers: option(
    named<string[]>(textOrList as never),
    none() as Map<string, string[]>,
    `Which processes may write ${streamNames.map((name) => `\`${name}\``).join(', ')}. Those that are ` +
      'not named here are written by any.',
    {
      defaultText: 'none',
      example: `
  events: [writer1, writer2]`,
    },
  ),
  start_pushers: option(flag, true, 'The main process may push.'),
  pusher_instances: holders('Which processes push.'),
  send_federation: option(flag, true, 'The main process may send to other servers.'),
  federation_sender_instances: holders('Which processes send to other servers.'),
  run_background_tasks_on: holders('Which process does the work of the background.'),
  update_user_directory: option(flag, true, 'The main process may keep the user directory.'),
  update_user_directory_from_worker: holders('Which process keeps the user directory.'),
  notify_appservices: option(flag, true, 'The main process may tell application services.'),
  notify_appservices_from_worker: holders('Which process tells application services.'),
  enable_media_repo: option(flag, true, 'The main process may look after media.'),
  media_instance_running_background_jobs: holders('Which process looks after media.'),
  worker_pid_file: optional(text, 'Where this process writes its process id.'),
  worker_replication_host: optional(text, 'The old form of `instance_map`; not needed.'),
  worker_replication_port: optional(port, 'The old form of `instance_map`; not needed.'),
  worker_replication_http_port: optional(port, 'The old form of `instance_map`; not needed.'),
  worker_main_http_uri: optional(
    text,
    'Where the main process answers clients. It is found without.',
  ),
  ...inert({
    outbound_federation_restricted_to: 'workers that talk to the outside',
    worker_manhole: 'a debugging shell',
    worker_daemonize: 'fork into the background',
    worker_log_config: 'the log of Python programs',
  }),
});

/** This process among the others of the server. */
export interface WorkersConfig {
  /** What this process is; null: the only process of the server. */
  app: AppName | null;
  name: string | null;
  secret: string | null;
  redis: RedisConfig | null;
  /** Where processes are called, by name. */
  instances: ReadonlyMap<string, { host: string; port: number } | { path: string }>;
  /** The processes that may hold a role, by role; others' roles are anybody's. */
  holders: ReadonlyMap<string, readonly string[]>;
  /** Roles that the main process leaves to others. */
  leftByMain: ReadonlySet<string>;
  /** How many of each kind to start. */
  counts: ReadonlyMap<AppName, number>;
  pidFile: string | null;
}

type Values = ValuesOf<typeof workersSection.options>;

function readHolders(loader: OptionLoader, values: Values): Map<string, readonly string[]> {
  const holders = new Map<string, readonly string[]>(values.stream_writers);
  for (const name of holders.keys()) {
    if (!streamNames.some((stream) => stream === name)) {
      loader.at('stream_writers', name).unknownName(streamNames);
    }
  }
  const named = {
    pusher: values.pusher_instances,
    federation_sender: values.federation_sender_instances,
    background: values.run_background_tasks_on,
    room_jobs: values.run_background_tasks_on,
    user_directory: values.update_user_directory_from_worker,
    appservice: values.notify_appservices_from_worker,
    media: values.media_instance_running_background_jobs,
  };
  for (const [role, names] of Object.entries(named)) if (names) holders.set(role, names);
  // What Synapse calls the main process in some of these options.
  const renamed = [...holders].map(([role, names]): [string, readonly string[]] => [
    role,
    names.map((name) => (name === 'master' ? 'main' : name)),
  ]);
  return new Map(renamed);
}

function readInstances(loader: OptionLoader, values: Values): WorkersConfig['instances'] {
  const instances = new Map<string, { host: string; port: number } | { path: string }>();
  type Given = { host: string | null; port: number | null; path: string | null };
  for (const [name, given] of values.instance_map as ReadonlyMap<string, Given>) {
    if (given.path !== null) instances.set(name, { path: given.path });
    else if (given.port !== null)
      instances.set(name, { host: given.host ?? 'localhost', port: given.port });
    else loader.at('instance_map', name).problem('needs host and port, or path');
  }
  return instances;
}

function readCounts(loader: OptionLoader, values: Values): Map<AppName, number> {
  const counts = new Map<AppName, number>();
  for (const [name, number] of values.workers) {
    const app = appNames.find((one) => one === name.replace(/^synapse\.app\./, ''));
    if (app) counts.set(app, number);
    else loader.at('workers', name).problem(`is not one of ${appNames.join(', ')}`);
  }
  return counts;
}

export function readWorkers(loader: OptionLoader, values: Values): WorkersConfig {
  const left = {
    pusher: values.start_pushers,
    federation_sender: values.send_federation,
    user_directory: values.update_user_directory,
    appservice: values.notify_appservices,
    media: values.enable_media_repo,
  };
  const redis = readRedis(loader, values.redis);
  return {
    app: values.worker_app ?? (redis ? 'homeserver' : null),
    name: values.worker_name,
    secret: readSecret(
      loader,
      ['worker_replication_secret'],
      values.worker_replication_secret,
      values.worker_replication_secret_path,
    ),
    redis,
    instances: readInstances(loader, values),
    holders: readHolders(loader, values),
    leftByMain: new Set(Object.entries(left).flatMap(([role, is]) => (is ? [] : [role]))),
    counts: readCounts(loader, values),
    pidFile: values.worker_pid_file,
  };
}
