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
  /** Whether two users share a room, also when that is so only since now. */
  sharesRoom: (userNid: number, otherNid: number) => Promise<boolean>;
  /** Null: no such user is known. */
  userNidOf: (userId: string) => number | null | Promise<number | null>;
}

export interface PresenceServices extends Omit<PresenceSurroundings, 'whoShares'> {
  clock: Clock;
  config: PresenceConfig;
  board: Board;
  tracker: Tracker;
  shared: SharedTracker;
}
