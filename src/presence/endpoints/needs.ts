import type { Clock } from '../../kernel/clock.ts';
import type { Board } from '../board.ts';
import type { PresenceConfig } from '../config.ts';
import type { SharedTracker } from '../shared-tracker.ts';
import type { Tracker } from '../tracker.ts';

/** What presence asks of other domains. */
export interface PresenceSurroundings {
  /** Which of `candidates` are joined to a room that the user is joined to; bounded in number. */
  whoShares: (
    userNid: number,
    candidates: readonly number[],
  ) => ReadonlySet<number> | Promise<ReadonlySet<number>>;
  /** Null: no such user is known. */
  userNidOf: (userId: string) => number | null | Promise<number | null>;
}

export interface PresenceServices extends PresenceSurroundings {
  clock: Clock;
  config: PresenceConfig;
  board: Board;
  tracker: Tracker;
  shared: SharedTracker;
}
