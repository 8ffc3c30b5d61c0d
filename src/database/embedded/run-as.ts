import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { chmod, chown, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { canFollowParent } from '../../kernel/follow-parent.ts';

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

export interface RunOptions extends SpawnOptions {
  /** When this process dies, even by kill -9, the program is to shut down, where that is possible. */
  endsWithParent?: boolean;
}

/** Starts programs of PostgreSQL as a user that it accepts. */
export interface Runner {
  spawn(program: string, args: readonly string[], options: RunOptions): ChildProcess;
  /** Makes a folder, with what is in it, that user's own. */
  own(folder: string): Promise<void>;
  /** The same when it is somebody else's: a copy that root has put back, for example. */
  adopt(folder: string): Promise<void>;
}

const ids = [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
/** In a private folder, such as root's home: may look into folders, and nothing else. */
const readOnly = [
  '--inh-caps=-all,+dac_read_search',
  '--ambient-caps=-all,+dac_read_search',
  '--bounding-set=-all,+dac_read_search',
];

async function own(folder: string): Promise<void> {
  await chown(folder, nobody, nobody);
  const entries = await readdir(folder, { recursive: true });
  await Promise.all(entries.map((entry) => chown(join(folder, entry), nobody, nobody)));
}

async function adopt(folder: string): Promise<void> {
  if ((await stat(folder)).uid === nobody) return;
  await own(folder);
  // PostgreSQL wants it private.
  await chmod(folder, 0o700);
}

/** `paths`: what the programs need to reach. */
export async function createRunner(paths: readonly string[]): Promise<Runner> {
  const [follows, ...reachable] = await Promise.all([
    canFollowParent(),
    ...(isRoot() ? paths.map(isReachable) : []),
  ]);
  const isPrivate = !reachable.every(Boolean);
  return {
    spawn(program, args, { endsWithParent = false, ...options }) {
      const priv: string[] = [];
      if (endsWithParent && follows) priv.push('--pdeathsig', 'INT');
      if (isPrivate) priv.push(...ids, ...readOnly);
      if (priv.length > 0 && isRoot() && !isPrivate) priv.push(...ids);
      if (priv.length > 0) return spawn('setpriv', [...priv, program, ...args], options);
      const credentials = isRoot() ? { uid: nobody, gid: nobody } : {};
      return spawn(program, args, { ...options, ...credentials });
    },
    own: isRoot() ? own : async () => {},
    adopt: isRoot() ? adopt : async () => {},
  };
}
