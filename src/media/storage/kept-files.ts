import { LRUCache } from 'lru-cache';
import { closeFile, openFile } from './files.ts';

const filesMax = 64;
/** What was deleted meanwhile takes its room on the disk for so much longer. */
const keptMs = 30_000;

interface KeptFile {
  descriptor: number;
  users: number;
  isForgotten: boolean;
}

export interface KeptFiles {
  /** Opens a file to be read; each is to be released once. Rejects as `open` of `node:fs` does. */
  take(path: string): Promise<KeptFile>;
  release(file: KeptFile): void;
  /** To be called when a file is deleted. */
  forget(path: string): void;
}

/**
 * Files that never change, open for a while: what many ask for they ask for at about the same time, and
 * opening and closing a file costs as much as sending 1 MiB.
 */
export function createKeptFiles(): KeptFiles {
  const closeUnused = (file: KeptFile) => {
    if (file.isForgotten && file.users === 0) closeFile(file.descriptor);
  };
  const files = new LRUCache<string, KeptFile>({
    max: filesMax,
    ttl: keptMs,
    ttlAutopurge: true,
    dispose(file) {
      file.isForgotten = true;
      closeUnused(file);
    },
  });
  return {
    async take(path) {
      const known = files.get(path);
      if (known) {
        known.users++;
        return known;
      }
      const file = { descriptor: await openFile(path, 'r'), users: 1, isForgotten: false };
      files.set(path, file);
      return file;
    },
    release(file) {
      file.users--;
      closeUnused(file);
    },
    forget: (path) => void files.delete(path),
  };
}
