import { MatrixError } from '../kernel/errors.ts';
import type { Clock } from '../kernel/clock.ts';
import type { BlockStore } from './store/blocks.ts';
import type { ProtoEvent } from './writer/proto-event.ts';
import type { RoomWriter } from './writer/shared-writer.ts';

/** Rooms that admins keep everybody out of; who is in stays, and may leave. */
export interface Blocks {
  /** Null: the room is not blocked. */
  blockedBy(roomId: string): Promise<string | null>;
  /** Throws M_FORBIDDEN for a blocked room. */
  check(roomId: string): Promise<void>;
  /** Whether the room is known does not matter. */
  set(roomId: string, block: { by: string } | null): Promise<void>;
}

export const roomBlocked = () =>
  new MatrixError('M_FORBIDDEN', 'This room has been blocked on this server');

/** Whether with the event somebody comes in who is not there yet, or is asked to. */
export function comesIn(
  room: { membershipOf(userId: string): string },
  { type, stateKey, content }: ProtoEvent,
): boolean {
  if (type !== 'm.room.member' || stateKey === undefined) return false;
  const { membership } = content;
  if (membership === 'leave' || membership === 'ban') return false;
  return membership !== 'join' || room.membershipOf(stateKey) !== 'join';
}

export function createBlocks(
  store: BlockStore,
  writer: Pick<RoomWriter, 'refresh'>,
  clock: Clock,
): Blocks {
  return {
    blockedBy: (roomId) => store.blockedBy(roomId),
    async check(roomId) {
      if ((await store.blockedBy(roomId)) !== null) throw roomBlocked();
    },
    async set(roomId, block) {
      if (block) await store.block(roomId, block.by, clock.now());
      else await store.unblock(roomId);
      await writer.refresh(roomId);
    },
  };
}
