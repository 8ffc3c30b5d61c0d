import { access, link, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder } from '../../kernel/make-folder.ts';
import { closeFile, openFile, readFrom, syncFile } from './files.ts';
import { createKeptFiles } from './kept-files.ts';
import type { MediaStore } from './media-store.ts';

/** The code of a file system's error. */
const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

/** Makes the names in a folder durable. */
async function syncFolder(path: string): Promise<void> {
  const folder = await openFile(path, 'r');
  try {
    await syncFile(folder);
  } finally {
    closeFile(folder);
  }
}

/**
 * Contents as files below a folder, which several processes, and machines by a shared file system,
 * may use at once: `content/ab/cd…`. A file gets its name when it is complete and on disk.
 */
export function createDiskStore(folder: string): MediaStore {
  const files = createKeptFiles();
  const pathOf = (sha256: string) => join(folder, 'content', sha256.slice(0, 2), sha256.slice(2));

  async function makeDurably(path: string): Promise<void> {
    const first = await makeFolder(path, 0o750);
    if (first === null) return;
    for (let made = path; made.length >= first.length; made = dirname(made)) {
      // oxlint-disable-next-line no-await-in-loop -- at most three
      await syncFolder(dirname(made));
    }
  }

  async function name(from: string, to: string): Promise<void> {
    try {
      await link(from, to);
    } catch (error) {
      // A content that is there already is the same.
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }

  async function takeIfThere(path: string) {
    try {
      return await files.take(path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    }
  }

  return {
    async put({ path, sha256 }) {
      const to = pathOf(sha256);
      try {
        await name(path, to);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
        await makeDurably(dirname(to));
        await name(path, to);
      }
      // Also for a file that was there: who has just named it may not have come to this yet.
      await syncFolder(dirname(to));
    },
    has: (sha256) =>
      access(pathOf(sha256)).then(
        () => true,
        () => false,
      ),
    async open(sha256, { start, end }) {
      const file = await takeIfThere(pathOf(sha256));
      if (file === null) return null;
      let position = start;
      return {
        async read(into) {
          const bytes = Math.min(into.length, end + 1 - position);
          if (bytes <= 0) return 0;
          const bytesRead = await readFrom(file.descriptor, into, { bytes, position });
          position += bytesRead;
          return bytesRead;
        },
        close: () => files.release(file),
      };
    },
    async asFile(sha256) {
      const path = pathOf(sha256);
      const isThere = await this.has(sha256);
      return isThere ? { path, release: async () => undefined } : null;
    },
    async delete(sha256) {
      const path = pathOf(sha256);
      await rm(path, { force: true });
      files.forget(path);
    },
  };
}
