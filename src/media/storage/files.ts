import { closeSync, fdatasync, fsync, open, read, writev } from 'node:fs';
import { promisify } from 'node:util';

// Every call that goes to a thread of the pool costs the waking of two threads, which for a file of 1 MiB
// is more than copying it. So these are few, by descriptors instead of objects, and closing is none: there
// is nothing left to write then.

export const openFile: (path: string, flags: string, mode?: number) => Promise<number> =
  promisify(open);
export const closeFile = closeSync;
export const syncFile = promisify(fsync);
export const syncFileData = promisify(fdatasync);

/** Reads at a position; gives how many bytes there were, which may be fewer than `bytes`. */
export function readFrom(
  file: number,
  into: Buffer,
  { bytes, position }: { bytes: number; position: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    read(file, into, 0, bytes, position, (error, bytesRead) =>
      error ? reject(error) : resolve(bytesRead),
    );
  });
}

const writePieces = promisify(writev);

/** Writes all of the pieces. Rejects when only a part of them found room. */
export async function append(file: number, pieces: readonly Buffer[]): Promise<void> {
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  const { bytesWritten } = await writePieces(file, pieces);
  if (bytesWritten < bytes) throw new Error(`the disk took ${bytesWritten} of ${bytes} bytes`);
}
