import { LRUCache } from 'lru-cache';
import type { JsonObject } from '../matrix/pdu.ts';
import type { Bus } from '../streams/bus.ts';
import type { StateStore } from './store/read-state.ts';
import { contentOf, type StoredEvent } from './stored-event.ts';
import { changesState, eventStream, removedRoomStream } from './streams.ts';

/** State entries kept in memory, of all rooms together; about 1 kB each. */
const cachedEntriesMax = 40_000;
/** Rooms with more state than this are read anew each time. */
const roomEntriesMax = 5_000;

type Entries = readonly StoredEvent[];

/** A joined member and the content of the member event. */
export interface JoinedMember {
  userId: string;
  content: JsonObject;
}

/** Reads of room state, now or at a position. */
export interface RoomStates extends StateStore {
  /** The joined members, now. */
  joinedMembers(roomNid: number): Promise<JoinedMember[]>;
}

/**
 * The same reads as the store's; the newest state of rooms that are looked at is kept in memory
 * and dropped when the room's state changes.
 */
export function withStateCache(store: StateStore, bus: Bus): RoomStates {
  const rooms = new LRUCache<number, Entries>({
    maxSize: cachedEntriesMax,
    sizeCalculation: (entries) => Math.max(1, entries.length),
  });
  const loading = new Map<number, Promise<Entries>>();
  /** Loads whose rooms have changed since they began. */
  const stale = new WeakSet<Promise<Entries>>();

  function forget(roomNid: number): void {
    rooms.delete(roomNid);
    const load = loading.get(roomNid);
    if (load) stale.add(load);
    loading.delete(roomNid);
  }

  bus.subscribe(eventStream, (rows) => {
    for (const { row } of rows) {
      if (changesState(row) || row.redacted) forget(row.event.roomNid);
    }
  });
  bus.subscribe(removedRoomStream, (rows) => {
    for (const { row } of rows) forget(row.roomNid);
  });

  function load(roomNid: number): Promise<Entries> {
    const promise: Promise<Entries> = store
      .state(roomNid, null)
      .then((entries) => {
        const isSmall = entries.length <= roomEntriesMax;
        if (isSmall && !stale.has(promise)) rooms.set(roomNid, entries);
        return entries;
      })
      .finally(() => {
        if (loading.get(roomNid) === promise) loading.delete(roomNid);
      });
    loading.set(roomNid, promise);
    return promise;
  }

  const isAlone = bus.tag === '';

  async function current(roomNid: number): Promise<Entries> {
    // Another process may have changed the room just now.
    const isBehind = !isAlone && (await store.newestPos(roomNid)) > bus.position();
    if (isBehind) return store.state(roomNid, null);
    return rooms.get(roomNid) ?? loading.get(roomNid) ?? load(roomNid);
  }

  return {
    ...store,
    state: async (roomNid, atPos) =>
      atPos === null ? [...(await current(roomNid))] : store.state(roomNid, atPos),
    async members(roomNid, atPos) {
      if (atPos !== null) return store.members(roomNid, atPos);
      return (await current(roomNid)).filter((event) => event.type === 'm.room.member');
    },
    async joinedMembers(roomNid) {
      const members = (await current(roomNid)).filter(
        (event) => event.type === 'm.room.member' && contentOf(event)['membership'] === 'join',
      );
      return members.map((event) => ({ userId: event.stateKey!, content: contentOf(event) }));
    },
  };
}
