import { LRUCache } from 'lru-cache';
import { serverNameOf } from '../matrix/ids.ts';
import type { Bus } from '../streams/bus.ts';
import type { RoomServerStore } from './store/room-servers.ts';
import { eventStream, removedRoomStream } from './streams.ts';

/** Names in all that is remembered; 60 bytes each. */
const cachedServersMax = 500_000;

/**
 * Names, each with a position from which on the server has certainly been in the room without a break;
 * it may have been so for longer.
 */
type Servers = ReadonlyMap<string, number>;

/** The other servers that have joined users in rooms, remembered and kept true by the event stream. */
export interface RoomServers {
  /** By room. At most one query, none when all are remembered. */
  joined(roomNids: readonly number[]): Promise<ReadonlyMap<number, Servers>>;
  /** Whether a server has a joined user in a room. */
  isJoined(roomNid: number, serverName: string): Promise<boolean>;
}

export function createRoomServers(store: RoomServerStore, bus: Bus): RoomServers {
  const cache = new LRUCache<number, Servers>({
    maxSize: cachedServersMax,
    sizeCalculation: (servers) => 1 + servers.size,
  });
  let changes = 0;

  function follow(roomNid: number, userId: string, isNowJoined: boolean): void {
    changes++;
    const servers = cache.get(roomNid);
    // One that is there already has one more user; whether one that leaves was its last nobody counts.
    if (servers && isNowJoined && servers.has(serverNameOf(userId))) return;
    cache.delete(roomNid);
  }

  bus.subscribe(eventStream, (rows) => {
    for (const { row } of rows) {
      for (const { userId, isLocal, from, to } of row.memberships) {
        if (isLocal || (from === 'join') === (to === 'join')) continue;
        follow(row.event.roomNid, userId, to === 'join');
      }
    }
  });

  bus.subscribe(removedRoomStream, (rows) => {
    changes++;
    for (const { row } of rows) cache.delete(row.roomNid);
  });

  async function load(roomNids: readonly number[]): Promise<ReadonlyMap<number, Servers>> {
    const before = changes;
    const found = new Map<number, Servers>(roomNids.map((nid) => [nid, new Map<string, number>()]));
    for (const { roomNid, servers, positions } of await store.joinedServers(roomNids)) {
      found.set(roomNid, new Map(servers.map((name, i) => [name, positions[i]!])));
    }
    // What has changed meanwhile may be missing.
    if (before === changes) for (const [nid, servers] of found) cache.set(nid, servers);
    return found;
  }

  async function joined(roomNids: readonly number[]): Promise<ReadonlyMap<number, Servers>> {
    const known = new Map<number, Servers>();
    const missing: number[] = [];
    for (const nid of roomNids) {
      const servers = cache.get(nid);
      if (servers) known.set(nid, servers);
      else missing.push(nid);
    }
    return missing.length === 0 ? known : new Map([...known, ...(await load(missing))]);
  }

  const isAlone = bus.tag === '';

  async function isJoined(roomNid: number, serverName: string): Promise<boolean> {
    if ((await joined([roomNid])).get(roomNid)!.has(serverName)) return true;
    // Another process may have let its first user in just now.
    return !isAlone && (await load([roomNid])).get(roomNid)!.has(serverName);
  }

  return { joined, isJoined };
}
