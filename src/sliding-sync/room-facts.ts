import { boundedCache } from '../kernel/bounded-cache.ts';
import { eventStream } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import { bumpTypes, type RoomStore } from './store/rooms.ts';

/** What lists are sorted and filtered by. */
export interface RoomFacts {
  /** Position of the newest event that moves the room up; 0: none. */
  bumpPos: number;
  roomType: string | null;
  isEncrypted: boolean;
}

interface Entry extends RoomFacts {
  isLoaded: boolean;
}

/** Rooms kept in memory; about 150 bytes each. */
const cachedRoomsMax = 200_000;

/** Facts of rooms, remembered and kept true by the event stream. */
export interface RoomFactsCache {
  /** Those of the rooms, in no more than one query; without one when all are remembered. */
  of(roomNids: readonly number[]): Promise<ReadonlyMap<number, RoomFacts>>;
}

const bumping = new Set(bumpTypes);
const encryption = 'm.room.encryption';

export function createRoomFacts(store: RoomStore, bus: Bus): RoomFactsCache {
  const cache = boundedCache<number, Entry>(cachedRoomsMax);

  bus.subscribe(eventStream, (rows) => {
    for (const { pos, row } of rows) {
      const { roomNid, type, stateKey } = row.event;
      const entry = cache.peek(roomNid);
      if (!entry) continue;
      if (row.changed?.some(([changed]) => changed === encryption)) {
        cache.delete(roomNid);
        continue;
      }
      if (bumping.has(type)) entry.bumpPos = Math.max(entry.bumpPos, pos);
      if (type === encryption && stateKey === '' && !row.changed) entry.isEncrypted = true;
    }
  });

  async function load(roomNids: number[], found: Map<number, RoomFacts>): Promise<void> {
    const entries = new Map<number, Entry>();
    for (const nid of roomNids) {
      // In the cache before it is read: what happens meanwhile is not missed.
      const entry = cache.peek(nid) ?? {
        bumpPos: 0,
        roomType: null,
        isEncrypted: false,
        isLoaded: false,
      };
      entries.set(nid, entry);
      cache.set(nid, entry);
    }
    for (const row of await store.facts(roomNids)) {
      const entry = entries.get(row.roomNid)!;
      entry.bumpPos = Math.max(entry.bumpPos, row.bumpPos ?? 0);
      entry.isEncrypted ||= row.isEncrypted;
      entry.roomType = row.roomType;
      entry.isLoaded = true;
    }
    for (const [nid, entry] of entries) found.set(nid, entry);
  }

  return {
    async of(roomNids) {
      const found = new Map<number, RoomFacts>();
      const missing: number[] = [];
      for (const nid of roomNids) {
        const entry = cache.get(nid);
        if (entry?.isLoaded) found.set(nid, entry);
        else missing.push(nid);
      }
      if (missing.length > 0) await load(missing, found);
      return found;
    },
  };
}
