import type { DeviceView } from './device-view.ts';
import type { StreamPosition } from '../../streams/position.ts';
import type { RoomView } from './room-view.ts';

/** A user's membership in a room, as of the newest position. */
export interface RoomOfUser {
  roomNid: number;
  roomId: string;
  roomVersion: string;
  membership: string;
  /** Position of the membership event. */
  pos: number;
  /** The number of whoever set the membership. */
  senderNid: number;
  /** Position of the event that made the user join; later profile changes do not move it. */
  joinedPos: number;
  /** False while `joinedPos` may be that of a later profile change. */
  isJoinedPosExact: boolean;
  /** For rooms that the user is not in: it may be that the user left them last. */
  wasJoined: boolean;
  /** Shown no more, but for the news that it was left. */
  isForgotten: boolean;
  /** Held while the user is joined. */
  view: RoomView | null;
}

/** A user who has synced lately. */
export class UserView {
  readonly userNid: number;
  readonly userId: string;
  readonly rooms = new Map<number, RoomOfUser>();
  /** All changes after this durable position have been seen by this view. */
  readonly since: number;
  /** Durable position of the newest change of the user's own data seen here. */
  ownPos = 0;
  /** Durable position of the newest change of a device list that concerns the user, seen here. */
  deviceListsPos = 0;
  /** Devices that have synced lately. */
  readonly devices = new Map<number, DeviceView>();
  /** Up to where news may concern the user: nothing after it does. */
  newsUpto: Pick<StreamPosition, 'durable' | 'ephemeral'> = { durable: Infinity, ephemeral: 0 };
  /** How many losses of news there had been when what is forgotten was read. */
  missesKnown = 0;
  /** Long polls to be woken. */
  readonly waiters = new Set<() => void>();
  /** Long-polling and running requests; a view in use is not evicted. */
  users = 0;

  constructor(userNid: number, userId: string, since: number) {
    this.userNid = userNid;
    this.userId = userId;
    this.since = since;
  }

  /** Whether nothing concerns the user after a position of this process; messages to devices apart. */
  isQuietSince({ durable, ephemeral }: StreamPosition): boolean {
    return durable >= this.newsUpto.durable && ephemeral >= this.newsUpto.ephemeral;
  }
}
