import { streamNames, type AppName, type WorkersConfig } from '../config/workers.ts';
import type { Config } from '../config/config.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { appsOf, type WorkerApp } from '../routing/apps.ts';

/** What this process is; a server of one process is all of it. */
export const appNameOf = (config: Config): WorkerApp => workerAppOf(config.workers.app);

const workerAppOf = (app: AppName | null): WorkerApp =>
  app === null || app === 'homeserver' ? 'main' : app;

/** Groups of requests that write a stream of the same name, which may have writers of its own. */
const writing: ReadonlySet<string> = new Set(streamNames);

/** Whether a process answers an endpoint itself, by its app and by who may write what. */
export function serves(
  { app, name }: { app: WorkerApp; name: string },
  endpoint: Endpoint,
  config: Config,
): boolean {
  const { resource, runsOn } = endpoint;
  if (resource === 'health' || resource === 'metrics') return true;
  const named = config.workers.holders.get(runsOn.group);
  if (named && writing.has(runsOn.group)) return named.includes(name);
  return appsOf(runsOn.group, { isPresenceEnabled: config.presence.isEnabled }).includes(app);
}

/** Work that has an app of its own. Others may take it when no such process runs. */
const ownApps: Readonly<Record<string, WorkerApp>> = {
  pusher: 'pusher',
  federation_sender: 'federation_sender',
  appservice: 'appservice',
  user_directory: 'user_dir',
  media: 'media_repository',
};

/** How willing a process is to hold a role. */
export type Willingness = 'first' | 'stand-in' | 'never';

/**
 * Whether a process may hold a role. Those that the configuration names for it, and nobody else;
 * without a name the processes of the role's own app, and, as stand-ins, the main process and
 * generic workers, who hold all other roles.
 */
export function willingnessOf(
  role: string,
  { app, name }: { app: WorkerApp; name: string },
  workers: Pick<WorkersConfig, 'holders' | 'leftByMain'>,
): Willingness {
  const named = workers.holders.get(role);
  if (named) return named.includes(name) ? 'first' : 'never';
  const own = ownApps[role];
  if (own === app) return 'first';
  const isGeneral = app === 'main' || app === 'generic_worker';
  if (!isGeneral || (app === 'main' && workers.leftByMain.has(role))) return 'never';
  return own === undefined ? 'first' : 'stand-in';
}
