import { dirname, resolve } from 'node:path';
import { readAccounts } from './accounts.ts';
import { flag, list, mapping, oneOf, text } from './kinds.ts';
import { readListeners, type ListenerConfig } from './listeners.ts';
import { readPresence } from './presence.ts';
import { readRateLimits } from './rate-limits.ts';
import { OptionReader } from './reader.ts';
import { ConfigError, readConfigFiles } from './read-files.ts';
import { readDatabase } from './database.ts';
import { readRooms } from './rooms.ts';

/** The configuration of a process, checked. Sections are named after what uses them. */
export interface Config {
  serverName: string;
  /** Without a slash at the end; null when not set. */
  publicBaseUrl: string | null;
  /** Holds everything the server keeps on its own: database, keys. */
  dataDir: string;
  signingKeyPath: string;
  pidFile: string | null;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  listeners: ListenerConfig[];
  tls: { certificatePath: string | null; keyPath: string | null };
  /** Null: the server's own PostgreSQL. Else options of the connection. */
  database: Record<string, unknown> | null;
  rateLimits: ReturnType<typeof readRateLimits>;
  accounts: ReturnType<typeof readAccounts>;
  rooms: ReturnType<typeof readRooms>;
  presence: ReturnType<typeof readPresence>;
  appserviceFiles: string[];
  wellKnown: {
    server: string | null;
    client: Record<string, unknown>;
    support: Record<string, unknown> | null;
  };
}

export interface LoadedConfig {
  config: Config;
  /** What an admin should know, one line each. */
  warnings: string[];
}

const serverNamePattern =
  /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]|[0-9a-z.-]{1,255})(?::\d{1,5})?$/;

/** Reads the configuration out of files and folders, later ones win. Throws ConfigError. */
export async function loadConfig(paths: readonly string[]): Promise<LoadedConfig> {
  const reader = new OptionReader(await readConfigFiles(paths));
  const serverName = reader.take('server_name', text, null);
  if (serverName === null) throw new ConfigError(['server_name: this option is needed']);
  if (!serverNamePattern.test(serverName)) {
    reader.problem('server_name', `${serverName} is not a server name (lower case, no scheme)`);
  }
  const dataDir = resolve(reader.take('data_dir', text, dirname(paths[0]!)));
  const publicBaseUrl = reader.take('public_baseurl', text, null)?.replace(/\/+$/, '') ?? null;
  const servesWellKnown = reader.take('serve_server_wellknown', flag, false);
  const wellKnownClient = reader.take('extra_well_known_client_content', mapping, {});
  const adminContact = reader.take('admin_contact', text, null);
  const support = adminContact?.startsWith('mailto:')
    ? { contacts: [{ role: 'm.role.admin', email_address: adminContact.slice(7) }] }
    : null;
  const config: Config = {
    serverName,
    publicBaseUrl,
    dataDir,
    signingKeyPath: reader.take('signing_key_path', text, `${dataDir}/signing.key`),
    pidFile: reader.take('pid_file', text, null),
    logLevel: reader.take('log_level', oneOf('debug', 'info', 'warn', 'error'), 'info'),
    listeners: readListeners(reader),
    tls: {
      certificatePath: reader.take('tls_certificate_path', text, null),
      keyPath: reader.take('tls_private_key_path', text, null),
    },
    database: readDatabase(reader),
    rateLimits: readRateLimits(reader),
    accounts: readAccounts(reader, serverName, publicBaseUrl, wellKnownClient),
    rooms: readRooms(reader, serverName),
    presence: readPresence(reader),
    appserviceFiles: reader.take('app_service_config_files', list(text), []),
    wellKnown: {
      server: servesWellKnown ? `${serverName.split(':')[0]}:443` : null,
      client: wellKnownClient,
      support,
    },
  };
  reader.take('enable_metrics', flag, false);
  reader.finish();
  return { config, warnings: reader.warnings };
}
