import { LRUCache } from 'lru-cache';
import type { Bus } from '../streams/bus.ts';
import type { AccessStore } from './store/access.ts';
import { eventStream, removedRoomStream } from './streams.ts';

/** Room ids in all that is remembered; 40 bytes each. */
const cachedRoomsMax = 500_000;

type Rooms = ReadonlySet<number>;

/** The rooms that users are joined to, remembered and kept true by the event stream. */
export interface JoinedRooms {
  /** The rooms that any of the users is joined to. At most one query, none when all are remembered. */
  ofAny(userNids: readonly number[]): Rooms | Promise<Rooms>;
  /**
   * Which of the candidates are joined to a room that the user is joined to. At most one query, none
   * when all are remembered.
   */
  sharing(
    userNid: number,
    candidates: readonly number[],
  ): ReadonlySet<number> | Promise<ReadonlySet<number>>;
}

function overlaps(one: Rooms, other: Rooms): boolean {
  const [small, large] = one.size < other.size ? [one, other] : [other, one];
  for (const nid of small) if (large.has(nid)) return true;
  return false;
}

export function createJoinedRooms(store: Pick<AccessStore, 'joinedRooms'>, bus: Bus): JoinedRooms {
  const cache = new LRUCache<number, Rooms>({
    maxSize: cachedRoomsMax,
    sizeCalculation: (rooms) => 1 + rooms.size,
  });
  let changes = 0;

  bus.subscribe(eventStream, (rows) => {
    for (const { row } of rows) {
      for (const { userNid, from, to } of row.memberships) {
        if ((from === 'join') === (to === 'join')) continue;
        changes++;
        cache.delete(userNid);
      }
    }
  });

  bus.subscribe(removedRoomStream, (rows) => {
    changes++;
    const gone = new Set(rows.map(({ row }) => row.roomNid));
    for (const [nid, rooms] of cache.entries()) if (overlaps(gone, rooms)) cache.delete(nid);
  });

  async function load(userNids: number[]): Promise<ReadonlyMap<number, Rooms>> {
    const before = changes;
    const found = new Map(userNids.map((nid) => [nid, new Set<number>()]));
    for (const row of await store.joinedRooms(userNids)) found.get(row.userNid)!.add(row.roomNid);
    // What has changed meanwhile may be missing.
    if (before === changes) for (const [nid, rooms] of found) cache.set(nid, rooms);
    return found;
  }

  const among = (own: Rooms, others: ReadonlyMap<number, Rooms>) =>
    new Set([...others].flatMap(([nid, rooms]) => (overlaps(own, rooms) ? [nid] : [])));

  /** What is remembered of the users, and those of whom nothing is. */
  function recall(userNids: readonly number[]) {
    const known = new Map<number, Rooms>();
    const missing: number[] = [];
    for (const nid of userNids) {
      const rooms = cache.get(nid);
      if (rooms) known.set(nid, rooms);
      else missing.push(nid);
    }
    return { known, missing };
  }

  return {
    ofAny(userNids) {
      const { known, missing } = recall(userNids);
      const own = [...known.values()].flatMap((rooms) => [...rooms]);
      if (missing.length === 0) return new Set(own);
      return load(missing).then(
        (found) => new Set([...own, ...[...found.values()].flatMap((rooms) => [...rooms])]),
      );
    },
    sharing(userNid, candidates) {
      const { known: others, missing } = recall(candidates);
      const own = cache.get(userNid);
      if (!own) missing.push(userNid);
      if (own && missing.length === 0) return among(own, others);
      return load(missing).then((found) => {
        const wanted = candidates.map((nid) => [nid, others.get(nid) ?? found.get(nid)!] as const);
        return among(own ?? found.get(userNid)!, new Map(wanted));
      });
    },
  };
}
