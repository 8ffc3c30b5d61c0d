import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

/** Whether the folder is there. Throws when something else is, or it cannot be looked at. */
async function isThere(folder: string): Promise<boolean> {
  try {
    if ((await stat(folder)).isDirectory()) return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
  throw new Error(`${folder} is no folder`);
}

/**
 * Makes a folder and those above it. Gives the first that was made; null: it was there. Throws an Error
 * that says why it cannot be made. The `recursive` of Node.js never ends where folders cannot be
 * made at all, as in /proc.
 */
export async function makeFolder(path: string, mode = 0o777): Promise<string | null> {
  const missing: string[] = [];
  try {
    for (let folder = resolve(path); ; folder = dirname(folder)) {
      // oxlint-disable-next-line no-await-in-loop
      if (await isThere(folder)) break;
      missing.push(folder);
    }
    for (const folder of missing.toReversed()) {
      // oxlint-disable-next-line no-await-in-loop
      await mkdir(folder, { mode }).catch((error: unknown) => {
        // Another made it meanwhile.
        if (codeOf(error) !== 'EEXIST') throw error;
      });
    }
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`the folder ${path} cannot be made: ${message}`, { cause: error });
  }
  return missing.at(-1) ?? null;
}
