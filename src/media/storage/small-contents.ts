import { LRUCache } from 'lru-cache';
import type { MediaStore } from './media-store.ts';

/** Thumbnails and avatars, mostly. */
const smallBytesMax = 64 * 1024;
const memoryBytesMax = 16 * 1024 * 1024;

/**
 * Contents so small that they are read at once; those that are asked for again and again stay in
 * memory. A content never changes, so this is never wrong; whether it may be served is asked before.
 */
export interface SmallContents {
  isSmall(bytes: number): boolean;
  /** Null when it is not there. */
  read(sha256: string, bytes: number): Promise<Buffer | null>;
}

export function createSmallContents(contents: MediaStore): SmallContents {
  const cache = new LRUCache<string, Buffer>({
    maxSize: memoryBytesMax,
    sizeCalculation: (content) => content.length + 1,
  });
  return {
    isSmall: (bytes) => bytes <= smallBytesMax,
    async read(sha256, bytes) {
      const known = cache.get(sha256);
      if (known) return known;
      const content = await contents.open(sha256, { start: 0, end: bytes - 1 });
      if (content === null) return null;
      const whole = Buffer.allocUnsafeSlow(bytes);
      try {
        for (let at = 0; at < bytes;) {
          // oxlint-disable-next-line no-await-in-loop
          const read = await content.read(whole.subarray(at));
          if (read === 0) throw new Error('a content is shorter than it should be');
          at += read;
        }
      } finally {
        content.close();
      }
      cache.set(sha256, whole);
      return whole;
    },
  };
}
