import type { Readable } from 'node:stream';

/** Bytes from `start` up to and including `end`. */
export interface ByteRange {
  start: number;
  end: number;
}

/** A content that lies in a file of this machine, complete and on disk. */
export interface WrittenFile {
  path: string;
  bytes: number;
  /** Hexadecimal, 64 characters. */
  sha256: string;
}

/** A content that can be read; to be closed. */
export interface OpenContent {
  /** Copies the next bytes into the buffer; 0 at the end. */
  read(into: Buffer): Promise<number>;
  close(): void;
}

/**
 * Where contents are kept, by the SHA-256 of their bytes. A content never changes, and what is there
 * is complete. All methods may be called by several processes at once.
 */
export interface MediaStore {
  /** Keeps what the file has; the file stays as it is. Resolves when it is kept durably. */
  put(file: WrittenFile): Promise<void>;
  has(sha256: string): Promise<boolean>;
  /** Null when it is not there. */
  open(sha256: string, range: ByteRange): Promise<OpenContent | null>;
  /**
   * The content as a file of this machine, until `release`. Null when it is not there.
   */
  asFile(sha256: string): Promise<{ path: string; release(): Promise<void> } | null>;
  /** Without effect when it is not there. */
  delete(sha256: string): Promise<void>;
}

/** Reads a stream as an open content. */
export function contentOfStream(stream: Readable): OpenContent {
  const pieces: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let left: Buffer = Buffer.alloc(0);
  return {
    async read(into) {
      while (left.length === 0) {
        // oxlint-disable-next-line no-await-in-loop
        const next = await pieces.next();
        if (next.done) return 0;
        left = next.value;
      }
      const copied = left.copy(into);
      left = left.subarray(copied);
      return copied;
    },
    close() {
      stream.destroy();
    },
  };
}
