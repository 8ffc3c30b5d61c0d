import { accountDataStream } from '../account-data/module.ts';
import { boundedCache } from '../kernel/bounded-cache.ts';
import { eventStream, type EventRow } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import {
  threadSubscriptionStream,
  type ThreadSubscriptions,
} from '../thread-subscriptions/module.ts';
import { JudgedRoom, type UserRules } from './judged-room.ts';
import type { PushRoomStore } from './store/rooms.ts';

export interface JudgedRoomsNeeds {
  bus: Bus;
  store: Pick<PushRoomStore, 'rooms' | 'audience'>;
  rulesOf(userNid: number): Promise<UserRules>;
  /** Null: users do not subscribe to threads. */
  threadSubscriptions: Pick<ThreadSubscriptions, 'ofUsers'> | null;
}

/** Rooms that events are judged for, with the users of the held shards who have pushers. */
export interface JudgedRooms {
  /** Those of the rooms where somebody has a pusher; those that are not in memory are read in one go. */
  of(roomNids: readonly number[], shards: number[]): Promise<Map<number, JudgedRoom>>;
  /** Who has pushers, or which shards are held, has changed. */
  forgetAll(): void;
}

const roomsMax = 20_000;

/** Whether the room is to be read anew: who is in it, under which name, or who may notify all. */
function changesAudience(row: EventRow, room: JudgedRoom | 'nobody' | undefined): boolean {
  const { event, memberships, changed } = row;
  if (changed !== null && changed.length > 0) return true;
  if (memberships.some(({ isLocal }) => isLocal)) return true;
  if (event.stateKey === null || room === undefined || room === 'nobody') return false;
  if (event.type === 'm.room.power_levels') return true;
  return event.type === 'm.room.member' && room.hasUser(event.stateKey);
}

export function createJudgedRooms(needs: JudgedRoomsNeeds): JudgedRooms {
  const { bus, store, rulesOf, threadSubscriptions } = needs;
  const rooms = boundedCache<number, JudgedRoom | 'nobody'>(roomsMax);
  /** Grows with every change, so that what was read before one is not kept. */
  let changes = 0;

  function forget(roomNid: number): void {
    changes++;
    rooms.delete(roomNid);
  }

  function count({ event, memberships }: EventRow): void {
    if (memberships.length > 0) changes++;
    const room = rooms.peek(event.roomNid);
    if (!room || room === 'nobody') return;
    for (const { from, to } of memberships) {
      room.memberCount += Number(to === 'join') - Number(from === 'join');
    }
  }

  bus.subscribe(eventStream, (rows) => {
    for (const { row } of rows) {
      const { roomNid } = row.event;
      if (changesAudience(row, rooms.peek(roomNid))) forget(roomNid);
      else count(row);
    }
  });
  bus.subscribe(accountDataStream, (rows) => {
    for (const { row } of rows) {
      const isOfRules = row.type === 'm.push_rules' || row.type === 'm.ignored_user_list';
      if (row.roomNid !== 0 || !isOfRules) continue;
      changes++;
      for (const [nid, room] of rooms.entries()) {
        if (room !== 'nobody' && room.has(row.userNid)) rooms.delete(nid);
      }
    }
  });

  bus.subscribe(threadSubscriptionStream, (rows) => {
    for (const { row } of rows) forget(row.roomNid);
  });

  async function read(roomNids: number[], shards: number[]): Promise<JudgedRoom[]> {
    const before = changes;
    const audience = await store.audience(roomNids, shards);
    const peopled = [...new Set(audience.map(({ roomNid }) => roomNid))];
    const userNids = [...new Set(audience.map(({ userNid }) => userNid))];
    const [rows, threads, rules] = await Promise.all([
      peopled.length > 0 ? store.rooms(peopled) : [],
      peopled.length > 0 ? (threadSubscriptions?.ofUsers(userNids, peopled) ?? []) : [],
      Promise.all(userNids.map(async (nid) => [nid, await rulesOf(nid)] as const)),
    ]);
    const hasThreads = threadSubscriptions !== null;
    const found = new Map(rows.map((row) => [row.roomNid, new JudgedRoom(row, hasThreads)]));
    const rulesByNid = new Map(rules);
    const threadsOf = Map.groupBy(threads, ({ userNid, roomNid }) => `${userNid} ${roomNid}`);
    for (const row of audience) {
      const own = threadsOf.get(`${row.userNid} ${row.roomNid}`) ?? [];
      found.get(row.roomNid)?.add(row, rulesByNid.get(row.userNid)!, own);
    }
    if (before === changes) for (const nid of roomNids) rooms.set(nid, found.get(nid) ?? 'nobody');
    return [...found.values()];
  }

  return {
    async of(roomNids, shards) {
      const result = new Map<number, JudgedRoom>();
      const missing: number[] = [];
      for (const nid of new Set(roomNids)) {
        const room = rooms.get(nid);
        if (!room) missing.push(nid);
        else if (room !== 'nobody') result.set(nid, room);
      }
      if (missing.length > 0) {
        for (const room of await read(missing, shards)) result.set(room.roomNid, room);
      }
      return result;
    },
    forgetAll() {
      changes++;
      rooms.clear();
    },
  };
}
