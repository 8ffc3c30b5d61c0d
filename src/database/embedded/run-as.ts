import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { chown, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** PostgreSQL refuses to run as root; started by root it runs as this user and group (nobody). */
const nobody = 65_534;

const isRoot = () => process.getuid?.() === 0;

/** Whether any user may reach a path, through all the folders above it. */
async function isReachable(path: string): Promise<boolean> {
  const othersMaySearch = 0o001;
  for (let folder = path; ; folder = dirname(folder)) {
    // oxlint-disable-next-line no-await-in-loop
    if (((await stat(folder)).mode & othersMaySearch) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** Starts programs of PostgreSQL as a user that it accepts. */
export interface Runner {
  spawn(program: string, args: readonly string[], options: SpawnOptions): ChildProcess;
  /** Makes a folder, with what is in it, that user's own. */
  own(folder: string): Promise<void>;
}

/** `paths`: what the programs need to reach. */
export async function createRunner(paths: readonly string[]): Promise<Runner> {
  if (!isRoot()) {
    return {
      spawn: (program, args, options) => spawn(program, args, options),
      own: async () => {},
    };
  }
  const reachable = await Promise.all(paths.map(isReachable));
  const own = async (folder: string) => {
    await chown(folder, nobody, nobody);
    const entries = await readdir(folder, { recursive: true });
    await Promise.all(entries.map((entry) => chown(join(folder, entry), nobody, nobody)));
  };
  if (reachable.every(Boolean)) {
    return {
      spawn: (program, args, options) =>
        spawn(program, args, { ...options, uid: nobody, gid: nobody }),
      own,
    };
  }
  // In a private folder, such as root's home: may look into folders, and nothing else.
  const drop = [
    `--reuid=${nobody}`,
    `--regid=${nobody}`,
    '--clear-groups',
    '--inh-caps=-all,+dac_read_search',
    '--ambient-caps=-all,+dac_read_search',
    '--bounding-set=-all,+dac_read_search',
  ];
  return {
    spawn: (program, args, options) => spawn('setpriv', [...drop, program, ...args], options),
    own,
  };
}
