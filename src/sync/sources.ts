import type { PresenceEvent } from '../presence/module.ts';
import type { Receipt } from '../receipts/module.ts';
import type {
  Aggregations,
  ErasedAmong,
  JoinedRooms,
  Retention,
  StoredEvent,
} from '../rooms/module.ts';
import type { ThreadSubscriptions } from '../thread-subscriptions/module.ts';
import type { InvitePermissions } from '../matrix/invite-permissions.ts';
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

/** Users whose devices and keys a client has to look at anew, or no longer. */
export interface DeviceListChanges {
  changed: string[];
  left: string[];
}

/** What a device has on the server for others to claim. */
export interface OneTimeKeyState {
  /** Unclaimed one-time keys by algorithm. */
  counts: Record<string, number>;
  /** Algorithms of fallback keys that nobody has claimed. */
  unusedFallbackTypes: string[];
}

export interface DeviceRef {
  userNid: number;
  deviceNid: number;
}

/** What sync shows of other domains. Positions are durable unless named otherwise. */
export interface SyncSources {
  accountData: {
    /** Changes after a position; -1: everything there is and is not deleted. */
    changes(userNid: number, afterPos: number): Promise<AccountDataChanges>;
    ignoredUsers(userNid: number): Promise<ReadonlySet<string>> | ReadonlySet<string>;
    invitePermissions(userNid: number): Promise<InvitePermissions> | InvitePermissions;
  };
  receipts: {
    /** Receipts that changed after a position, by room, the user's own private ones included. */
    changed(
      rooms: readonly { roomNid: number; afterPos: number }[],
      uptoPos: number,
      readerNid: number,
    ): Promise<Map<number, readonly Receipt[]>>;
  };
  toDevice: {
    /** Positions of the oldest and the newest message in a device's inbox. */
    span(
      userNid: number,
      deviceNid: number,
    ): Promise<{ firstPos: number | null; lastPos: number | null }>;
    /** Messages after a position, as JSON texts of events, oldest first. */
    waiting(
      device: DeviceRef,
      afterPos: number,
      uptoPos: number,
      limit: number,
    ):
      | Promise<readonly { pos: number; message: string }[]>
      | readonly { pos: number; message: string }[];
    /** Messages up to a position have arrived. False: that could not be written down. */
    acknowledge(device: DeviceRef, pos: number): Promise<boolean>;
  };
  oneTimeKeys: {
    state(userNid: number, deviceNid: number): Promise<OneTimeKeyState>;
  };
  deviceLists: {
    /** Ids of users, sharing a room with the reader, who look different since a position. */
    changed(
      reader: { userNid: number; isInRoom(roomNid: number): boolean },
      afterPos: number,
      uptoPos: number,
    ): Promise<string[]> | string[];
  };
  typing: {
    /** Ids of the users who are typing. */
    usersIn(roomNid: number): readonly string[];
    /** Ephemeral position of the last change, if lately; else 0. */
    changedAt(roomNid: number): number;
  };
  presence: {
    /**
     * The m.presence events of users the reader may see, after an ephemeral position, and of those
     * who share a room with the reader only now.
     */
    changes(
      reader: { userNid: number; userId: string },
      afterEphemeral: number | null,
      newlySharing?: readonly number[],
    ): readonly PresenceEvent[] | Promise<readonly PresenceEvent[]>;
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
  /** Null: there are none here. */
  stickyEvents: {
    /** Sticky events of rooms after a position each, oldest first. */
    inRooms(
      rooms: readonly { roomNid: number; afterPos: number }[],
      uptoPos: number,
      limit: number,
    ): Promise<StoredEvent[]>;
  } | null;
  /** Null: there are none here. */
  threadSubscriptions: Pick<ThreadSubscriptions, 'changes'> | null;
  /** A room that may be looked into by those who are not in it; null: unknown, or not so. */
  worldReadable(
    roomId: string,
    reader: { userNid: number; userId: string },
  ): Promise<{ roomNid: number; roomId: string; roomVersion: string } | null>;
  aggregations: Aggregations;
  joinedRooms: Pick<JoinedRooms, 'ofAny'>;
  erasedAmong: ErasedAmong;
  /** How long messages are shown. */
  retention: Retention;
  filters: {
    /** A stored filter. Rejects with M_NOT_FOUND. */
    byId(userNid: number, filterId: string): Promise<Filter> | Filter;
  };
}
