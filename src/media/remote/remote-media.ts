import { MatrixError } from '../../kernel/errors.ts';
import type { TemporaryFiles } from '../storage/temporary-files.ts';
import type { Uploads } from '../uploads.ts';
import type { DownloadBudget } from './download-budget.ts';
import { toldOf, type OpenRemote, type RemoteMediaWish } from './open-remote.ts';

export interface RemoteFetch extends RemoteMediaWish {
  /** Of the client; what is fetched for it counts against its budget. */
  remoteAddress: string;
}

/** Media of other servers. */
export interface RemoteMedia {
  /**
   * Fetches one of them and keeps it; who wants the same meanwhile waits for the same fetch. Throws
   * M_NOT_FOUND, M_NOT_YET_UPLOADED, M_FORBIDDEN, M_LIMIT_EXCEEDED, M_TOO_LARGE (502), M_UNKNOWN (502).
   */
  fetch(wish: RemoteFetch): Promise<void>;
}

export interface RemoteMediaNeeds {
  openRemote: OpenRemote;
  budget: DownloadBudget;
  uploads: Pick<Uploads, 'keepCopy'>;
  temporary: Pick<TemporaryFiles, 'write' | 'discard'>;
}

/** Fetches at once in one process; each has a file and a connection. */
const atOnceMax = 200;
const retryMs = 5_000;

export function createRemoteMedia(needs: RemoteMediaNeeds): RemoteMedia {
  const { openRemote, budget, uploads, temporary } = needs;
  const underWay = new Map<string, Promise<void>>();

  async function* counted(address: string, content: AsyncIterable<Buffer>) {
    for await (const piece of content) {
      budget.count(address, piece.length);
      yield piece;
    }
  }

  async function fetchAnew({ remoteAddress, ...wish }: RemoteFetch): Promise<void> {
    try {
      const { contentType, fileName, content } = await openRemote(wish);
      const file = await temporary.write(counted(remoteAddress, content));
      try {
        const { serverName: origin, mediaId } = wish;
        await uploads.keepCopy(file, { origin, mediaId, contentType, fileName });
      } finally {
        await temporary.discard(file.path);
      }
    } catch (error) {
      throw toldOf(error);
    }
  }

  return {
    async fetch(wish) {
      const key = `${wish.serverName}/${wish.mediaId}`;
      let fetching = underWay.get(key);
      if (!fetching) {
        budget.check(wish.remoteAddress);
        if (underWay.size >= atOnceMax) {
          const text = 'Too much is being fetched from other servers';
          throw new MatrixError('M_LIMIT_EXCEEDED', text, { extra: { retry_after_ms: retryMs } });
        }
        fetching = fetchAnew(wish).finally(() => underWay.delete(key));
        underWay.set(key, fetching);
      }
      return fetching;
    },
  };
}
