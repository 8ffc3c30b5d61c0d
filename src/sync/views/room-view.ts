import { afterRedaction, type StoredEvent } from '../../rooms/module.ts';
import type { UserView } from './user-view.ts';

/** Events a room keeps in memory; what is older is read from the database. */
const windowEventsMax = 100;

/** A room as the sync of its active users needs it. */
export class RoomView {
  readonly roomNid: number;
  readonly roomId: string;
  readonly roomVersion: string;
  /** Timeline events, oldest first: all there are after `windowStart`. */
  readonly window: StoredEvent[] = [];
  /** Exclusive. */
  windowStart: number;
  /** Position of the newest event seen here; 0 before the first. */
  lastEventPos = 0;
  /** Ephemeral position of the last change of who is typing. */
  typingPos: number;
  /** Durable position of the newest receipt seen here, of those after `createdPos`. */
  receiptPos = 0;
  /** Durable position at which this view began to see changes. */
  readonly createdPos: number;
  /** Joined users of this server who have synced lately. */
  readonly activeUsers = new Set<UserView>();

  constructor(
    { roomNid, roomId, roomVersion }: Pick<RoomView, 'roomNid' | 'roomId' | 'roomVersion'>,
    position: number,
    typingPos: number,
  ) {
    this.roomNid = roomNid;
    this.roomId = roomId;
    this.roomVersion = roomVersion;
    this.typingPos = typingPos;
    this.windowStart = position;
    this.createdPos = position;
  }

  append(event: StoredEvent): void {
    this.window.push(event);
    this.lastEventPos = event.pos!;
    if (this.window.length > windowEventsMax) this.trim(windowEventsMax / 2);
  }

  /** Puts older events in front: all there are after `start`. */
  prepend(events: readonly StoredEvent[], start: number): void {
    if (start >= this.windowStart) return;
    this.window.unshift(...events.filter(({ pos }) => pos! > start && pos! <= this.windowStart));
    this.windowStart = start;
    const last = this.window.at(-1);
    if (last) this.lastEventPos = Math.max(this.lastEventPos, last.pos!);
  }

  trim(keep: number): void {
    const surplus = this.window.length - keep;
    if (surplus <= 0) return;
    this.windowStart = this.window[surplus - 1]!.pos!;
    this.window.splice(0, surplus);
  }

  /** Replaces an event that has been redacted, also where a later one tells of it. */
  replace(event: StoredEvent): void {
    const at = this.window.findLastIndex((known) => known.eventId === event.eventId);
    if (at >= 0) this.window[at] = event;
    if (event.stateKey === null) return;
    for (const [i, known] of this.window.entries()) this.window[i] = afterRedaction(known, event);
  }

  /** The events after a position, oldest first, when all of them are here; else null. */
  eventsAfter(pos: number): StoredEvent[] | null {
    if (pos < this.windowStart) return null;
    if (pos >= this.lastEventPos) return [];
    let from = this.window.length;
    while (from > 0 && this.window[from - 1]!.pos! > pos) from--;
    return this.window.slice(from);
  }
}
