import { createReadStream } from 'node:fs';
import { contentOfStream, type MediaStore } from './media-store.ts';
import { createS3Requests, type S3Options } from './s3-requests.ts';
import type { TemporaryFiles } from './temporary-files.ts';

export interface S3StoreOptions extends S3Options {
  /** Before each key; empty, or with a slash at the end. */
  prefix: string;
  storageClass: string | null;
}

/** Contents as objects of a bucket, in stores that speak as Amazon's S3 does. */
export function createS3Store(options: S3StoreOptions, temporary: TemporaryFiles): MediaStore {
  const request = createS3Requests(options);
  const keyOf = (sha256: string) => `${options.prefix}${sha256.slice(0, 2)}/${sha256}`;
  const more: Record<string, string> =
    options.storageClass === null ? {} : { 'X-Amz-Storage-Class': options.storageClass };

  async function has(sha256: string): Promise<boolean> {
    const answer = await request({ method: 'HEAD', key: keyOf(sha256) }, [200, 404]);
    answer.resume();
    return answer.statusCode === 200;
  }

  return {
    has,
    async put({ path, bytes, sha256 }) {
      if (await has(sha256)) return;
      const body = { bytes, sha256, open: () => createReadStream(path) };
      const headers = { 'Content-Type': 'application/octet-stream', ...more };
      const answer = await request({ method: 'PUT', key: keyOf(sha256), headers, body }, [200]);
      answer.resume();
    },
    async open(sha256, { start, end }) {
      // An empty content has no range.
      const headers: Record<string, string> = end < start ? {} : { Range: `bytes=${start}-${end}` };
      const key = keyOf(sha256);
      const answer = await request({ method: 'GET', key, headers }, [200, 206, 404]);
      if (answer.statusCode !== 404) return contentOfStream(answer);
      answer.resume();
      return null;
    },
    async asFile(sha256) {
      const answer = await request({ method: 'GET', key: keyOf(sha256) }, [200, 404]);
      if (answer.statusCode === 404) {
        answer.resume();
        return null;
      }
      const { path } = await temporary.write(answer);
      return { path, release: () => temporary.discard(path) };
    },
    async delete(sha256) {
      const answer = await request({ method: 'DELETE', key: keyOf(sha256) }, [200, 204, 404]);
      answer.resume();
    },
  };
}
