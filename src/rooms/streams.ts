import { defineStream } from '../streams/define-stream.ts';
import type { StateKey } from '../matrix/auth-rules.ts';
import type { StoredEvent } from './stored-event.ts';

/** A membership that becomes another. */
export interface MembershipChange {
  userId: string;
  userNid: number;
  isLocal: boolean;
  /** Before the event; `leave` when there was none. */
  from: string;
  to: string;
}

/** An event that has become part of a room's timeline, with all that readers need of it. */
export interface EventRow {
  roomId: string;
  roomVersion: string;
  event: StoredEvent;
  /** Memberships that are others now: that of a member event; where forks meet, none or several. */
  memberships: readonly MembershipChange[];
  /**
   * Entries of the current state that have changed, where forks meet; null for all other events, of
   * which a state event simply takes its place.
   */
  changed: readonly StateKey[] | null;
  /** For a redaction that took effect: the event as it is now. */
  redacted: StoredEvent | null;
}

/** Whether the room's current state is another after the event. */
export const changesState = ({ event, changed }: EventRow): boolean =>
  changed === null ? event.stateKey !== null : changed.length > 0;

/** The event without what every process makes of it for itself. */
function withoutDerived(event: StoredEvent): StoredEvent {
  const { parsed: _parsed, clientPrefix: _clientPrefix, ...stored } = event;
  return stored;
}

/** New events of all rooms, in the order in which clients see them. */
export const eventStream = defineStream<EventRow>({
  name: 'events',
  durable: true,
  shardedBy: 'room',
  toWire: (row) => ({
    ...row,
    event: withoutDerived(row.event),
    redacted: row.redacted && withoutDerived(row.redacted),
  }),
});

/** A room that was taken away. */
export interface RemovedRoom {
  roomNid: number;
  roomId: string;
}

/** Rooms that are known no more: what is remembered of them is forgotten. */
export const removedRoomStream = defineStream<RemovedRoom>({
  name: 'removed_rooms',
  durable: true,
  shardedBy: 'room',
});

/** Rooms whose older events were deleted: what is remembered of their timelines may be no more. */
export const purgedHistoryStream = defineStream<{ roomNid: number }>({
  name: 'purged_history',
  durable: false,
  shardedBy: 'room',
});

/** Rooms that users no longer want to see. */
export const forgottenRoomStream = defineStream<{ userNid: number; roomNid: number }>({
  name: 'forgotten_rooms',
  durable: false,
  shardedBy: 'user',
});

/** Rooms whose aliases on this server are others now; not told of rooms that are new. */
export const aliasStream = defineStream<{ roomNids: number[] }>({
  name: 'room_aliases',
  durable: false,
  shardedBy: 'room',
});
