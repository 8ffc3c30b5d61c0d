import type { BatchItem } from '../../database/database.ts';
import type { Fence } from '../../database/fence.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { CommitKind, Committer } from '../../streams/committer.ts';
import type { StreamRow } from '../../streams/define-stream.ts';
import { extremitiesItem } from '../store/append-received.ts';
import type { HeadStore } from '../store/load-head.ts';
import { removeRoomItem, type RemovedRoomStore } from '../store/removed-rooms.ts';
import { removedRoomStream, type RemovedRoom } from '../streams.ts';
import { createAlone } from './alone.ts';
import { HeadLost } from './commit-events.ts';
import type { RoomHead } from './head.ts';
import type { HeadCache } from './head-cache.ts';

export interface RemoveRequest {
  roomId: string;
  /** Also while users of this server are joined. */
  isForced: boolean;
}

/** What admins do with a room as a whole. Every method bears to be called twice. */
export interface Maintainer {
  /**
   * Takes a room away: from then on it is unknown, and its number is never used again. Its rows are
   * still there, found by nobody. Gives the position; null: it was unknown. Throws M_UNKNOWN while
   * local users are joined.
   */
  remove(request: RemoveRequest, fence: Fence | null): Promise<number | null>;
  /** Something of the room's row has been changed: the writer reads it anew. */
  refresh(request: { roomId: string }, fence: Fence | null): Promise<null>;
  /** Leaves only the newest forward extremity; gives how many went. Throws M_NOT_FOUND. */
  pruneExtremities(request: { roomId: string }, fence: Fence | null): Promise<number>;
}

interface MaintainUnit {
  head: RoomHead;
  item: BatchItem;
  /** What readers are told, when the item gives a position. */
  row: RemovedRoom | null;
}

/** Each results in its position; 0 where it draws none. */
const maintainCommit: CommitKind<MaintainUnit, number> = {
  name: 'maintain',
  voidReason: (unit) => (unit.head.broken ? new HeadLost() : null),
  fence: (unit) => unit.head.fence,
  statements: (units) => units.map((unit) => unit.item),
  complete(units, rows) {
    const publish: StreamRow[] = [];
    const results = units.map(({ row }, i) => {
      if (!row) return 0;
      const { pos } = rows[i]![0] as { pos: number };
      publish.push({ stream: removedRoomStream, pos, row } as StreamRow);
      return pos;
    });
    return { results, publish };
  },
};

const isUnknown = (error: unknown) => error instanceof MatrixError && error.code === 'M_NOT_FOUND';

export interface MaintainerNeeds {
  committer: Committer;
  heads: HeadCache;
  headStore: HeadStore;
  removed: RemovedRoomStore;
  clock: Clock;
}

export function createMaintainer(needs: MaintainerNeeds): Maintainer {
  const { committer, heads, headStore, removed, clock } = needs;
  const alone = createAlone(heads);

  /** Null where the room is unknown. */
  async function ifKnown<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      if (isUnknown(error)) return null;
      throw error;
    }
  }

  return {
    remove: ({ roomId, isForced }, fence) =>
      ifKnown(() =>
        alone(roomId, fence, async (head, isRetry) => {
          const { roomNid } = head;
          if (!isForced && (await removed.hasLocalMembers(roomNid))) {
            throw new MatrixError('M_UNKNOWN', 'Users are still joined to this room');
          }
          const item = removeRoomItem(roomNid, clock.now());
          const unit = { head, item, row: { roomNid, roomId } };
          return committer.commit(maintainCommit, unit, { alone: isRetry });
        }),
      ),
    async refresh({ roomId }, fence) {
      await ifKnown(() => alone(roomId, fence, () => Promise.resolve()));
      return null;
    },
    pruneExtremities: ({ roomId }, fence) =>
      alone(roomId, fence, async (head, isRetry) => {
        const surplus = (await headStore.extremities(roomId)).length - 1;
        if (surplus <= 0) return 0;
        // One alone is the newest event of the timeline, and is not marked.
        const unit = { head, item: extremitiesItem(head.roomNid, []), row: null };
        await committer.commit(maintainCommit, unit, { alone: isRetry });
        return surplus;
      }),
  };
}
