import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../config/config.ts';
import { isLoopback } from '../config/loopback.ts';
import type { Options } from '../config/option.ts';
import { rateLimitsSection, unlimitedPerSecond } from '../config/rate-limits.ts';
import { ConfigError } from '../config/read-files.ts';
import { sections } from '../config/sections.ts';
import { writeSigningKey } from '../config/signing-key-file.ts';
import { makeFolder } from '../kernel/make-folder.ts';
import { portOf } from './config-paths.ts';

export interface NewConfig {
  serverName: string;
  dataDir: string;
  port: number;
  address: string;
  databaseUrl: string | null;
  /** Free registration and no rate limits, for tests and benchmarks. */
  isOpen: boolean;
}

/** An option as the file shows it: its words as a comment, then its value. */
function described(name: string, value: string, isOff = false): string {
  const { doc } = declared[name]!;
  const lines = `${name}:${value.startsWith('\n') ? '' : ' '}${value}`.split('\n');
  return [...wrapped(doc), ...lines.map((line) => (isOff ? `# ${line}` : line))].join('\n');
}

const declared: Options = Object.assign({}, ...sections.map(({ options }) => options));
const commentWidth = 98;

function wrapped(doc: string): string[] {
  const lines = ['#'];
  for (const word of doc.split(' ')) {
    if (`${lines.at(-1)} ${word}`.length > commentWidth) lines.push('#');
    lines.push(`${lines.pop()} ${word}`);
  }
  return lines;
}

/** Rates and numbers among options, as YAML that switches limits off. */
function withoutLimits(options: Options, indent = ''): string {
  const off = `{per_second: ${unlimitedPerSecond}, burst_count: ${unlimitedPerSecond}}`;
  return Object.entries(options)
    .filter(([, { isInert }]) => !isInert)
    .map(([name, { members, byDefault }]) => {
      if (members) return `${indent}${name}:\n${withoutLimits(members, `${indent}  `)}`;
      return `${indent}${name}: ${typeof byDefault === 'number' ? unlimitedPerSecond : off}`;
    })
    .join('\n');
}

const openOptions = `
# For tests and benchmarks only: anybody may register, and nothing is limited.
only_on_loopback: true
enable_registration: true
enable_registration_without_verification: true
${withoutLimits(rateLimitsSection.options)}
`;

/** The text of a homeserver.yaml with what most admins want to see in it. */
export function configText(wanted: NewConfig, sharedSecret: string): string {
  const { serverName, dataDir, port, address, databaseUrl, isOpen } = wanted;
  const listeners = `
  - port: ${port}
    bind_addresses: [${JSON.stringify(address)}]
    # True behind a reverse proxy that sets X-Forwarded-For.
    x_forwarded: false
    resources:
      - names: [client, federation, media, health]`;
  const example = (name: string) => described(name, declared[name]!.example!, true);
  const parts = [
    '# Configuration of Lattice. Options have the names that Synapse’s have; all of them are in\n' +
      '# docs/reference/configuration.md. Changes take effect at the next start.',
    described('server_name', JSON.stringify(serverName)),
    example('public_baseurl'),
    described('data_dir', JSON.stringify(dataDir)),
    described('signing_key_path', JSON.stringify(join(dataDir, 'signing.key'))),
    described('listeners', listeners),
    databaseUrl === null
      ? example('database')
      : described('database', `\n  url: ${JSON.stringify(databaseUrl)}`),
    described('registration_shared_secret', JSON.stringify(sharedSecret)),
    described('log_level', 'info'),
  ];
  const registration = ['enable_registration', 'registration_requires_token'];
  if (isOpen) parts.push(openOptions.trim());
  else parts.push(...registration.map((name) => described(name, 'true', true)));
  return `${parts.join('\n\n')}\n`;
}

const secretBytes = 32;

/** Removes a file that is no good. Throws an Error that says what was wanted wrongly. */
async function check(path: string): Promise<void> {
  try {
    await loadConfig([path]);
  } catch (error) {
    await rm(path);
    if (!(error instanceof ConfigError)) throw error;
    // The lines of a file that is gone help nobody.
    throw new Error(error.problems.map((problem) => problem.replace(/^.*?:\d+: /, '')).join('\n'), {
      cause: error,
    });
  }
}

/**
 * Writes homeserver.yaml and the signing key, unless they exist. Gives the configuration's path.
 * Throws an Error that says what is not allowed.
 */
export async function writeConfig(wanted: NewConfig): Promise<string> {
  if (wanted.isOpen && !isLoopback(wanted.address)) {
    throw new Error(`--open is for loopback addresses only, not ${wanted.address}`);
  }
  const dataDir = resolve(wanted.dataDir);
  await makeFolder(dataDir, 0o711);
  const path = join(dataDir, 'homeserver.yaml');
  if (existsSync(path)) throw new Error(`${path} exists already`);
  const secret = randomBytes(secretBytes).toString('base64url');
  const unchecked = `${path}.new`;
  await writeFile(unchecked, configText({ ...wanted, dataDir }, secret), { mode: 0o600 });
  await check(unchecked);
  await rename(unchecked, path);
  await writeSigningKey(join(dataDir, 'signing.key'));
  return path;
}

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
