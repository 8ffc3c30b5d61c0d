import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { Command } from 'commander';
import { writeSigningKey } from '../config/signing-key-file.ts';

export interface NewConfig {
  serverName: string;
  dataDir: string;
  port: number;
  address: string;
  databaseUrl: string | null;
  /** Free registration and no rate limits, for tests and benchmarks. */
  isOpen: boolean;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine can reach an address. */
export function isLoopback(address: string): boolean {
  if (isIPv4(address)) return loopback.check(address, 'ipv4');
  return isIPv6(address) && loopback.check(address, 'ipv6');
}

const openOptions = `
# For tests and benchmarks only: anybody may register, and nothing is limited.
only_on_loopback: true
enable_registration: true
enable_registration_without_verification: true
${['message', 'registration', 'registration_token_validity', 'room_creation']
  .map((name) => `rc_${name}: {per_second: 1000000, burst_count: 1000000}`)
  .join('\n')}
rc_login:
  address: {per_second: 1000000, burst_count: 1000000}
  account: {per_second: 1000000, burst_count: 1000000}
  failed_attempts: {per_second: 1000000, burst_count: 1000000}
rc_joins:
  local: {per_second: 1000000, burst_count: 1000000}
rc_invites:
  per_issuer: {per_second: 1000000, burst_count: 1000000}
`;

/** The text of a homeserver.yaml with what most admins want to see in it. */
export function configText(wanted: NewConfig, sharedSecret: string): string {
  const { serverName, dataDir, port, address, databaseUrl, isOpen } = wanted;
  return `# Configuration of Lattice. Options have the names that Synapse's have; see
# docs/reference/configuration.md. Changes take effect at the next start.

# The part of user ids after the colon. It cannot be changed later.
server_name: ${JSON.stringify(serverName)}

# The URL by which clients reach the server from outside, without a path.
# public_baseurl: https://matrix.example.org

# Everything the server keeps: its database, its keys.
data_dir: ${JSON.stringify(dataDir)}
signing_key_path: ${JSON.stringify(join(dataDir, 'signing.key'))}

listeners:
  - port: ${port}
    bind_addresses: [${JSON.stringify(address)}]
    # Set it to true behind a reverse proxy that sets X-Forwarded-For.
    x_forwarded: false
    resources:
      - names: [client, federation, media, health]

# Without this section the server runs a PostgreSQL of its own in data_dir.
${
  databaseUrl === null
    ? '# database:\n#   url: postgresql://user:password@host/database'
    : `database:\n  url: ${JSON.stringify(databaseUrl)}`
}

# Who knows it may register accounts, also admins: \`lattice register-user\` uses it.
registration_shared_secret: ${JSON.stringify(sharedSecret)}

# To let people register by themselves, with tokens that an admin hands out:
# enable_registration: true
# registration_requires_token: true

# debug, info, warn or error.
log_level: info
${isOpen ? openOptions : ''}`;
}

const secretBytes = 32;

/** Writes homeserver.yaml and the signing key, unless they exist. Gives the configuration's path. */
export async function writeConfig(wanted: NewConfig): Promise<string> {
  if (wanted.isOpen && !isLoopback(wanted.address)) {
    throw new Error(`--open is for loopback addresses only, not ${wanted.address}`);
  }
  const dataDir = resolve(wanted.dataDir);
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  const path = join(dataDir, 'homeserver.yaml');
  if (existsSync(path)) throw new Error(`${path} exists already`);
  const secret = randomBytes(secretBytes).toString('base64url');
  await writeFile(path, configText({ ...wanted, dataDir }, secret), { mode: 0o600 });
  await writeSigningKey(join(dataDir, 'signing.key'));
  return path;
}

const portOf = (text: string) => {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`${text} is not a port`);
  return port;
};

interface GenerateOptions {
  serverName: string;
  dataDir: string;
  port: number;
  address: string;
  databaseUrl?: string;
  open: boolean;
}

export function addGenerateConfig(program: Command): void {
  program
    .command('generate-config')
    .description('write a commented homeserver.yaml and a signing key')
    .requiredOption('--server-name <name>', 'the part of user ids after the colon')
    .option('--data-dir <folder>', 'where the server keeps everything', './data')
    .option('--port <number>', 'port of the listener', portOf, 8008)
    .option('--address <address>', 'address of the listener', '127.0.0.1')
    .option('--database-url <url>', 'a PostgreSQL to use instead of an own one')
    .option('--open', 'free registration and no rate limits, for tests; loopback only', false)
    .action(async (options: GenerateOptions) => {
      const { serverName, dataDir, port, address, databaseUrl = null, open } = options;
      const path = await writeConfig({
        serverName,
        dataDir,
        port,
        address,
        databaseUrl,
        isOpen: open,
      });
      console.log(`wrote ${path}`);
    });
}
