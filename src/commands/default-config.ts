import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeConfig } from './generate-config.ts';

/** The configuration files that are meant: those given, or the data folder's, made when there is none. */
export async function configPathsOf(given: {
  configPath: string[];
  dataDir?: string;
}): Promise<string[]> {
  if (given.configPath.length > 0) return given.configPath;
  const dataDir = given.dataDir ?? './data';
  const path = join(dataDir, 'homeserver.yaml');
  if (!existsSync(path)) {
    const serverName = 'localhost';
    const address = '127.0.0.1';
    const wanted = { serverName, dataDir, port: 8008, address, databaseUrl: null, isOpen: false };
    await writeConfig(wanted);
    console.log(`first start: wrote ${path}; change server_name there before you have users`);
  }
  return [path];
}

/** What to do at the first start. */
export function firstAdminHint(paths: readonly string[]): string {
  const options = paths.map((path) => `--config-path ${path}`).join(' ');
  return `create the first admin in another terminal: npx lattice register-user --admin ${options}`;
}
