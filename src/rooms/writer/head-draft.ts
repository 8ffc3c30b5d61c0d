import { RoomHead, type HeadEntry } from './head.ts';

/** A room as it would be after events that are not in its head yet. The head stays as it is. */
export class HeadDraft extends RoomHead {
  #base: RoomHead;

  /** `base`: the head, or another draft, as it is now. It must have the members that are asked for. */
  constructor(base: RoomHead) {
    const { roomNid, roomId, version, joinedCount, invitedCount, isBlocked } = base;
    const room = { roomNid, roomId, joinedCount, invitedCount, isBlocked };
    super({ ...room, roomVersion: version.id }, version, base.isStored, base.fence);
    this.#base = base;
    this.extremities = base.extremities;
  }

  /** The events before those of the draft are in the head now. */
  rebase(head: RoomHead): void {
    this.#base = head;
  }

  override get(type: string, stateKey: string): HeadEntry | undefined {
    return super.get(type, stateKey) ?? this.#base.get(type, stateKey);
  }
}
