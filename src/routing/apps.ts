import type { TrafficGroup } from '../http/endpoint.ts';

/** The kinds of worker, named as `worker_app` names them without `synapse.app.`; `main` is `homeserver`. */
export const workerApps = [
  'main',
  'generic_worker',
  'media_repository',
  'user_dir',
  'frontend_proxy',
  'pusher',
  'appservice',
  'federation_sender',
] as const;
export type WorkerApp = (typeof workerApps)[number];

/**
 * Workers can be kept for a part of the traffic, so that nothing else holds it up: first syncs,
 * sign-in and sign-up, heavy bridges. `default` is everything else.
 */
export const pools = ['default', 'initial_sync', 'registration_login', 'bridges'] as const;
export type Pool = (typeof pools)[number];

/** What of the configuration decides about routes. */
export interface RoutingSettings {
  /** With presence off its requests change nothing; `frontend_proxy` takes them then. */
  isPresenceEnabled: boolean;
  /** Who counts as a heavy bridge. */
  bridges: BridgeSettings;
}

export interface BridgeSettings {
  /** Tokens of application services. */
  tokens: ReadonlySet<string>;
  /** Parts of `User-Agent` headers. */
  userAgents: readonly string[];
}

export const defaultRoutingSettings: RoutingSettings = {
  isPresenceEnabled: true,
  bridges: { tokens: new Set(), userAgents: [] },
};

const generic = ['generic_worker', 'main'] as const;
const media = ['media_repository', 'main', 'generic_worker'] as const;
const directory = ['user_dir', 'main', 'generic_worker'] as const;
const front = ['frontend_proxy', 'main', 'generic_worker'] as const;
const main = ['main', 'generic_worker'] as const;

const appsByGroup: Readonly<Record<TrafficGroup, readonly WorkerApp[]>> = {
  sync: generic,
  initial_sync: generic,
  event_sending: generic,
  pagination: generic,
  client: generic,
  registration_login: generic,
  federation: generic,
  federation_inbound: generic,
  presence: generic,
  typing: generic,
  to_device: generic,
  account_data: generic,
  receipts: generic,
  push_rules: generic,
  sso: generic,
  media,
  media_admin: media,
  user_directory: directory,
  key_upload: front,
  admin: main,
  main,
};

/** The apps that take a group of traffic: the first that has a worker does. */
export function appsOf(
  group: TrafficGroup,
  { isPresenceEnabled }: Pick<RoutingSettings, 'isPresenceEnabled'> = defaultRoutingSettings,
): readonly WorkerApp[] {
  return group === 'presence' && !isPresenceEnabled ? front : appsByGroup[group];
}

/** The pool of a group, before it is known who asks. */
export function poolOf(group: TrafficGroup): Pool {
  return group === 'initial_sync' || group === 'registration_login' ? group : 'default';
}
