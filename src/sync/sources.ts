import type { Receipt } from '../receipts/module.ts';
import type { Aggregations } from '../rooms/module.ts';
import type { Filter } from '../matrix/filters/filter.ts';

/** Account data as clients see it. */
export interface AccountDataEntry {
  type: string;
  /** JSON text of the content; `{}` for what has been deleted. */
  content: string;
}

export interface AccountDataChanges {
  global: AccountDataEntry[];
  /** By room number. */
  rooms: Map<number, AccountDataEntry[]>;
}

export interface UnreadCount {
  notifications: number;
  highlights: number;
}

/** Unread counts of a room: of what is in no thread, and of each thread with something unread. */
export interface RoomUnread {
  main: UnreadCount;
  threads: Map<string, UnreadCount>;
}

/** What sync shows of other domains. Positions are durable unless named otherwise. */
export interface SyncSources {
  accountData: {
    /** Changes after a position; -1: everything there is and is not deleted. */
    changes(userNid: number, afterPos: number): Promise<AccountDataChanges>;
    ignoredUsers(userNid: number): Promise<ReadonlySet<string>> | ReadonlySet<string>;
  };
  receipts: {
    /** Receipts that changed after a position, by room, the user's own private ones included. */
    changed(
      rooms: readonly { roomNid: number; afterPos: number }[],
      uptoPos: number,
      readerNid: number,
    ): Promise<Map<number, readonly Receipt[]>>;
  };
  typing: {
    /** Ids of the users who are typing. */
    usersIn(roomNid: number): readonly string[];
  };
  presence: {
    /**
     * JSON texts of m.presence events of users the reader may see, after an ephemeral position, and
     * of those who share a room with the reader only now.
     */
    changes(
      reader: { userNid: number; userId: string },
      afterEphemeral: number | null,
      newlySharing?: readonly number[],
    ): Promise<string[]> | string[];
    /** A sync shows that the user is there; call what is returned when it ends. */
    syncing(
      user: { userNid: number; userId: string; deviceId: string | null },
      state: 'online' | 'unavailable' | 'offline',
    ): () => void;
  };
  unread: {
    counts(
      user: { userNid: number; userId: string },
      roomNids: readonly number[],
    ): Promise<Map<number, RoomUnread>>;
  };
  aggregations: Aggregations;
  filters: {
    /** A stored filter. Rejects with M_NOT_FOUND. */
    byId(userNid: number, filterId: string): Promise<Filter> | Filter;
  };
}
