import type { Fence } from '../../database/fence.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { BatchFailed } from '../../streams/committer.ts';
import { HeadLost } from './commit-events.ts';
import type { RoomHead } from './head.ts';
import type { HeadCache } from './head-cache.ts';
import { attemptsMax } from './room-writer.ts';

/**
 * Does something with a room that nothing else is written to meanwhile. Its head is read anew by whoever
 * comes next. Throws M_NOT_FOUND for an unknown room.
 */
export type Alone = <T>(
  roomId: string,
  fence: Fence | null,
  work: (head: RoomHead, isRetry: boolean) => Promise<T>,
) => Promise<T>;

export function createAlone(heads: HeadCache): Alone {
  return async (roomId, fence, work) => {
    for (let tries = 1; ; tries++) {
      // oxlint-disable-next-line no-await-in-loop
      const head = await heads.pinned(roomId, [], fence);
      if (!head) throw new MatrixError('M_NOT_FOUND', 'This server does not know the room');
      try {
        // oxlint-disable-next-line no-await-in-loop
        return await head.receipt.alone(() =>
          head.gate.alone(() => {
            if (head.broken) throw new HeadLost();
            return work(head, tries > 1);
          }),
        );
      } catch (error) {
        const mayRetry = error instanceof HeadLost || error instanceof BatchFailed;
        if (!mayRetry || tries === attemptsMax) {
          throw error instanceof BatchFailed ? error.cause : error;
        }
      } finally {
        // What it holds is no longer so, or never was.
        heads.drop(head);
        heads.unpin(head);
      }
    }
  };
}
