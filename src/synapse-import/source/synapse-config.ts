import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { databaseSection, readDatabase } from '../../config/database.ts';
import { OptionLoader } from '../../config/option-loader.ts';
import { ConfigError, readConfigFiles, type FileOptions } from '../../config/read-files.ts';
import { parseSigningKey, type SigningKey } from '../../matrix/signing.ts';
import type { SynapseDatabase } from './source.ts';

/** What is needed of a Synapse's homeserver.yaml. */
export interface SynapseConfig {
  serverName: string;
  database: SynapseDatabase;
  /** [media_store_path] */
  mediaFolder: string;
  /** [signing_key_path] */
  signingKeyPath: string;
  signingKey: SigningKey;
  /** [password_config.pepper]; empty: none. */
  pepper: string;
}

const mappingIn = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

function databaseOf(options: FileOptions, folder: string): SynapseDatabase {
  const given = mappingIn(options.get('database')?.value);
  if (given['name'] === 'sqlite3') {
    const path = mappingIn(given['args'])['database'];
    if (typeof path !== 'string') throw new ConfigError(['database.args.database is missing']);
    return { kind: 'sqlite', path: resolve(folder, path) };
  }
  const loader = new OptionLoader(options);
  const read = readDatabase(loader, loader.take(databaseSection));
  loader.finish(new Set(options.keys()));
  if (read === null)
    throw new ConfigError(['there is no `database` in the configuration of Synapse']);
  return { kind: 'postgresql', options: read };
}

/** Reads the configuration of a Synapse; later files win. Throws ConfigError. */
export async function readSynapseConfig(paths: readonly string[]): Promise<SynapseConfig> {
  const options = await readConfigFiles(paths);
  const folder = dirname(resolve(paths[0]!));
  const text = (name: string) => {
    const value = options.get(name)?.value;
    return typeof value === 'string' ? value : null;
  };
  const serverName = text('server_name');
  if (serverName === null) throw new ConfigError([`${paths.join(', ')}: server_name is missing`]);
  const signingKeyPath = resolve(folder, text('signing_key_path') ?? `${serverName}.signing.key`);
  const line = text('signing_key') ?? (await readFile(signingKeyPath, 'utf8'));
  const pepper = mappingIn(options.get('password_config')?.value)['pepper'];
  return {
    serverName,
    database: databaseOf(options, folder),
    mediaFolder: resolve(folder, text('media_store_path') ?? 'media_store'),
    signingKeyPath,
    signingKey: parseSigningKey(line),
    pepper: typeof pepper === 'string' ? pepper : '',
  };
}
