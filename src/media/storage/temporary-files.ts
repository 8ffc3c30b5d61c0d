import { createHash, randomUUID } from 'node:crypto';
import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../kernel/make-folder.ts';
import { append, closeFile, openFile, syncFileData } from './files.ts';
import type { WrittenFile } from './media-store.ts';

/** Small pieces are gathered to this many bytes before they are written. */
const writtenAtOnce = 512 * 1024;
/** A file that is older belongs to nobody any more: its process died. */
const abandonedMs = 24 * 60 * 60 * 1000;

/** Files of contents that are on their way. */
export interface TemporaryFiles {
  /**
   * Writes what comes to a file of its own and to the disk. The file is deleted when `pieces` throws,
   * else to be discarded by the caller. The pieces are used up.
   */
  write(pieces: AsyncIterable<Buffer>): Promise<WrittenFile>;
  discard(path: string): Promise<void>;
  /** Deletes files that a process left when it died. */
  sweep(nowMs: number): Promise<void>;
}

/**
 * Gives the memory of pieces back at once. Left to the garbage collector, megabytes that pass through
 * make it run so often that it costs more than all else.
 */
function free(pieces: readonly Buffer[]): void {
  for (const { buffer, length } of pieces) {
    if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
  }
}

const isMissing = (error: unknown) =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** `folder` is made when it is needed; it is on the same file system as what files are moved to. */
export function createTemporaryFiles(folder: string): TemporaryFiles {
  async function create() {
    const path = join(folder, randomUUID());
    try {
      return { path, file: await openFile(path, 'wx', 0o640) };
    } catch (error) {
      if (!isMissing(error)) throw error;
      await makeFolder(folder, 0o750);
      return { path, file: await openFile(path, 'wx', 0o640) };
    }
  }

  async function discard(path: string): Promise<void> {
    try {
      await unlink(path);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  return {
    async write(pieces) {
      const hash = createHash('sha256');
      const { path, file } = await create();
      let bytes = 0;
      try {
        let waiting: Buffer[] = [];
        let waitingBytes = 0;
        for await (const piece of pieces) {
          hash.update(piece);
          bytes += piece.length;
          waiting.push(piece);
          waitingBytes += piece.length;
          if (waitingBytes < writtenAtOnce) continue;
          await append(file, waiting);
          free(waiting);
          waiting = [];
          waitingBytes = 0;
        }
        if (waitingBytes > 0) await append(file, waiting);
        free(waiting);
        await syncFileData(file);
      } catch (error) {
        closeFile(file);
        await discard(path);
        throw error;
      }
      closeFile(file);
      return { path, bytes, sha256: hash.digest('hex') };
    },
    discard,
    async sweep(nowMs) {
      const names = await readdir(folder).catch((error: unknown) => {
        if (isMissing(error)) return [];
        throw error;
      });
      for (const name of names) {
        const path = join(folder, name);
        // oxlint-disable-next-line no-await-in-loop -- few, and never in a hurry
        const found = await stat(path).catch(() => null);
        if (found && found.mtimeMs < nowMs - abandonedMs) {
          // oxlint-disable-next-line no-await-in-loop
          await unlink(path).catch(() => undefined);
        }
      }
    },
  };
}
