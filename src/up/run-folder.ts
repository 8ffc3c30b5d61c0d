import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { makeFolder } from '../kernel/make-folder.ts';

/** The kernel allows 107 bytes for the path of a unix socket; the longest name in the folder takes 40. */
const pathBytesMax = 65;

/** A folder for sockets and for the files of processes, in the data folder if its path is short. */
export async function makeRunFolder(
  dataDir: string,
): Promise<{ path: string; remove(): Promise<void> }> {
  const own = join(resolve(dataDir), 'run');
  const isShort = Buffer.byteLength(own) <= pathBytesMax;
  if (isShort) await rm(own, { recursive: true, force: true });
  const path = isShort ? own : await mkdtemp(join(tmpdir(), 'lattice-'));
  await makeFolder(path, 0o700);
  await chmod(path, 0o700);
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Where the supervisor of a data folder listens. */
export function controlPathOf(dataDir: string): string {
  const own = join(resolve(dataDir), 'control.sock');
  if (Buffer.byteLength(own) <= pathBytesMax) return own;
  const name = createHash('sha256').update(own).digest('hex').slice(0, 16);
  return join(tmpdir(), `lattice-${name}.sock`);
}
