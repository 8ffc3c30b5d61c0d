import type { Clock } from '../kernel/clock.ts';
import type { Committer } from '../streams/committer.ts';
import type { RoomAccess } from '../rooms/module.ts';
import type { ReceiptStore } from './store/receipts.ts';

/** Who has done something, and with which device. */
export interface ActiveUser {
  userId: string;
  userNid: number;
  deviceId: string | null;
}

/** What receipts ask of other domains. */
export interface ReceiptSurroundings {
  /** Throws M_FORBIDDEN unless the user is joined: `RoomServices.access`. */
  rooms: { joined(roomId: string, user: { userId: string; userNid: number }): Promise<RoomAccess> };
  /** Stores room account data and announces it to the user's devices. */
  setRoomAccountData: (
    userNid: number,
    roomNid: number,
    type: string,
    content: Record<string, unknown>,
  ) => Promise<void>;
  /** The user has done something: presence takes note. */
  noteActivity: (user: ActiveUser) => void;
}

export interface ReceiptServices extends ReceiptSurroundings {
  clock: Clock;
  committer: Committer;
  store: ReceiptStore;
}
