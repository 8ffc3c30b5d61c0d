import { LRUCache } from 'lru-cache';
import { roomVersion } from '../../matrix/room-versions.ts';
import { LeaseLost, type Fence } from '../../database/fence.ts';
import type { HeadStore } from '../store/load-head.ts';
import { headEntryOf, referenceHashOf, RoomHead } from './head.ts';

/** The heads of the rooms that this process writes, bounded in bytes. */
export interface HeadCache {
  /**
   * The head with these users' members loaded, pinned: it stays the one head of its room until
   * `unpin`. Null when the room is unknown. A head that was read under an earlier lease than `fence`
   * may be old; it is read again. Throws LeaseLost when there is one of a later lease.
   */
  pinned(
    roomId: string,
    memberIds: readonly string[],
    fence: Fence | null,
  ): Promise<RoomHead | null>;
  /** Takes in a new room's head, pinned. */
  add(head: RoomHead): void;
  pin(head: RoomHead): void;
  /** Loads these users' members into a pinned head. */
  loadMembers(head: RoomHead, userIds: readonly string[]): Promise<void>;
  unpin(head: RoomHead): void;
  /** Throws a head away: what it says may not be what is stored. */
  drop(head: RoomHead): void;
}

export function createHeadCache(store: HeadStore, bytesMax: number): HeadCache {
  // Heads in use are not subject to eviction: a second head of the same room would fork it.
  const inUse = new Map<string, RoomHead>();
  const resting = new LRUCache<string, RoomHead>({
    maxSize: bytesMax,
    sizeCalculation: (head) => Math.max(1, head.bytes),
  });
  const loading = new Map<string, Promise<RoomHead | null>>();

  async function load(roomId: string, fence: Fence | null): Promise<RoomHead | null> {
    const found = await store.load(roomId);
    if (!found) return null;
    const version = roomVersion(found.room.roomVersion);
    const head = new RoomHead(found.room, version, true, fence);
    for (const event of found.state) {
      head.set({ ...headEntryOf(event, roomId), ...referenceHashOf(version, event) });
    }
    head.extremities = found.extremities.map((event) => ({
      eventId: event.eventId,
      depth: event.depth,
      ...referenceHashOf(version, event),
    }));
    resting.set(roomId, head);
    return head;
  }

  async function current(roomId: string, fence: Fence | null): Promise<RoomHead | null> {
    const known = inUse.get(roomId) ?? resting.get(roomId);
    if (known && known.fence?.epoch === fence?.epoch) return known;
    // A call may outlast its lease, and the shard may have come back meanwhile.
    if (known?.fence && fence && known.fence.epoch > fence.epoch) throw new LeaseLost();
    if (known) drop(known);
    let promise = loading.get(roomId);
    if (!promise) {
      promise = load(roomId, fence).finally(() => loading.delete(roomId));
      loading.set(roomId, promise);
    }
    return promise;
  }

  function pin(head: RoomHead): void {
    if (head.pins++ > 0) return;
    inUse.set(head.roomId, head);
    resting.delete(head.roomId);
  }

  function drop(head: RoomHead): void {
    head.broken = true;
    if (inUse.get(head.roomId) === head) inUse.delete(head.roomId);
    if (resting.peek(head.roomId) === head) resting.delete(head.roomId);
  }

  function unpin(head: RoomHead): void {
    if (--head.pins > 0 || head.broken) return;
    inUse.delete(head.roomId);
    resting.set(head.roomId, head);
  }

  async function loadMembers(head: RoomHead, userIds: readonly string[]): Promise<void> {
    const missing = head.missingMembers(userIds);
    if (missing.length === 0) return;
    const events = await store.members(head.roomNid, missing);
    for (const event of events) {
      // A newer one may have been appended while this was read.
      if (head.get('m.room.member', event.stateKey!)) continue;
      head.set({ ...headEntryOf(event, head.roomId), ...referenceHashOf(head.version, event) });
    }
    for (const userId of missing) head.markAbsent(userId);
  }

  return {
    async pinned(roomId, memberIds, fence) {
      for (;;) {
        const head = await current(roomId, fence);
        if (!head) return null;
        if (head.fence?.epoch !== fence?.epoch) continue;
        // Evicted or dropped before this turn came: take the one that is current now.
        if ((inUse.get(roomId) ?? resting.peek(roomId)) !== head) continue;
        pin(head);
        try {
          await loadMembers(head, memberIds);
        } catch (error) {
          unpin(head);
          throw error;
        }
        if (!head.broken) return head;
        unpin(head);
      }
    },
    add: pin,
    pin,
    loadMembers,
    unpin,
    drop,
  };
}
