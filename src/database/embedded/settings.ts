import { totalmem } from 'node:os';

const megabyte = 1024 * 1024;
/** A sixteenth of the memory, within reason: the operating system caches files as well. */
const bufferShare = 16;
const bufferMbMin = 32;
const bufferMbMax = 512;

/** Value of a setting, quoted as `postgresql.conf` wants it. */
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

/**
 * The settings of the embedded PostgreSQL, as the text of a configuration file. Durable: what is
 * committed is on disk. `overrides`: settings by name, as they are to be written.
 */
export function renderSettings(
  socketFolder: string,
  overrides: Readonly<Record<string, string>> = {},
): string {
  const bufferMb = Math.floor(totalmem() / megabyte / bufferShare);
  const settings: Record<string, string> = {
    listen_addresses: quoted(''),
    unix_socket_directories: quoted(socketFolder),
    unix_socket_permissions: '0700',
    max_connections: '60',
    shared_buffers: `${Math.max(bufferMbMin, Math.min(bufferMbMax, bufferMb))}MB`,
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    max_wal_size: '1GB',
    checkpoint_timeout: '15min',
    // The statements are short and prepared: compiling or spreading one costs more than it gains.
    jit: 'off',
    max_parallel_workers_per_gather: '0',
    random_page_cost: '1.1',
    autovacuum_naptime: '1min',
    // No subscriptions here: saves a process.
    max_logical_replication_workers: '0',
    log_min_messages: 'warning',
    log_checkpoints: 'off',
    timezone: quoted('UTC'),
    ...overrides,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('');
}
