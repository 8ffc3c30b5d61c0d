import { queuedItemsMax } from './limits.ts';
import type { Transaction } from './transaction.ts';

/** An event that a server is to get. */
export interface EventItem {
  pos: number;
  roomNid: number;
  eventNid: number;
}

/** A change of a local user's devices or keys that a server is to be told of. */
export interface DeviceItem {
  pos: number;
  userNid: number;
  userId: string;
}

export type Item = EventItem | DeviceItem;

export const isEvent = (item: Item): item is EventItem => 'eventNid' in item;

/** A server that does not have everything yet. */
export interface Behind {
  /** It has everything up to here. */
  pos: number;
  /** It is being caught up to `toPos`, and is so in rooms up to a number. */
  round: { toPos: number; room: number } | null;
}

/** A room whose events are being read. */
export interface RoomPart {
  roomNid: number;
  afterPos: number;
  /** When the server was in the room: from the one position on, before the other. */
  spans: readonly { fromPos: number; toPos: number }[];
  isBegun: boolean;
}

/** What is known in memory of the round in which a server is being caught up. */
export interface Round {
  toPos: number;
  /** Rooms that are still to be looked at, ascending; null: not looked up yet. */
  rooms: number[] | null;
  /** There may be more rooms after those. */
  hasMoreRooms: boolean;
  /** Rooms that are being read, and up to where they have been. */
  parts: RoomPart[];
  /** The last of the rooms that are being read, or have been. */
  lastRoom: number;
  /** Up to where changes of devices have been looked up. */
  devicesPos: number;
  hasMoreDevices: boolean;
  items: Item[];
}

/** Another server, as long as there is something to do for it. */
export class Destination {
  readonly name: string;
  readonly shard: number;
  /** What it gets next, in order; while it is behind, what comes after the round. */
  queue: Item[] = [];
  behind: Behind | null = null;
  round: Round | null = null;
  /** `queue` has everything after the round, or, when it is not behind, everything. */
  isGathering = true;
  /** What the database says of `behind`, as text; null: not behind. */
  stored: string | null = null;
  /** The first position in `queue` when progress was written last: what is slow is written down. */
  firstPosBefore = 0;
  /** Messages to devices may wait for it in the database. */
  hasMessages = false;
  /** What could not be sent, to be tried again as it was. */
  retry: Transaction | null = null;
  /** Tries of it that have failed. */
  failures = 0;
  /** Not to be asked before, milliseconds since 1970. */
  dueTs = 0;
  /** When it is looked at again; Infinity: never. */
  timerTs = Infinity;
  /** It refuses transactions that are larger. */
  pdusMax = Infinity;
  isRunning = false;
  /** It is another process's by now. */
  isGone = false;

  constructor(name: string, shard: number) {
    this.name = name;
    this.shard = shard;
  }

  hasWork(): boolean {
    return this.retry !== null || this.behind !== null || this.queue.length > 0 || this.hasMessages;
  }

  /**
   * Something new, in order. While it is left alone (`isAway`), or has no room, nothing is kept in
   * memory.
   */
  add(item: Item, isAway: boolean): void {
    if (!this.isGathering) return;
    if (isAway || this.queue.length >= queuedItemsMax) this.fallBehind(item.pos - 1);
    else this.queue.push(item);
  }

  /**
   * What waits in memory is forgotten, to be read from the database; so is what came after a
   * position, where nothing is known to be waiting.
   */
  fallBehind(afterPos: number): void {
    const firstPos = this.queue[0]?.pos ?? Infinity;
    this.behind ??= { pos: Math.min(afterPos, firstPos - 1), round: null };
    this.queue = [];
    this.isGathering = false;
  }

  /** It may lack everything after a position. */
  lacksSince(pos: number): void {
    if (this.behind && this.behind.pos > pos) this.goOn({ pos, round: null });
    else this.fallBehind(pos);
  }

  /** Goes on from where it was. */
  goOn(behind: Behind): void {
    this.behind = behind;
    this.round = null;
    this.queue = [];
    this.isGathering = false;
  }

  /** The first `count` items of the queue have arrived. */
  sent(count: number, uptoPos: number): void {
    if (this.isGathering && !this.behind) this.queue.splice(0, count);
    // It fell behind meanwhile.
    else if (this.behind && this.behind.round === null && this.behind.pos < uptoPos) {
      this.behind = { pos: uptoPos, round: null };
    }
  }

  /** As it is to be written down; what waits for long counts as being behind. */
  progress(): Behind | null {
    if (this.behind) return this.behind;
    const first = this.queue[0]?.pos;
    if (first === undefined) return null;
    const isSlow = first === this.firstPosBefore || this.stored !== null;
    return isSlow ? { pos: first - 1, round: null } : null;
  }
}
