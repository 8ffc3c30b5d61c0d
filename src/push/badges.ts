import { boundedCache } from '../kernel/bounded-cache.ts';
import { eventStream } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import type { Unread } from '../unread/module.ts';
import type { PushRoomStore } from './store/rooms.ts';

export interface BadgesNeeds {
  bus: Bus;
  store: Pick<PushRoomStore, 'ofUser'>;
  unread: Pick<Unread, 'counts'>;
  /** [push.group_unread_count_by_room] */
  countsRooms: boolean;
}

/** Where a user is. */
interface Rooms {
  joined: number[];
  invites: number;
}

const usersMax = 20_000;

/** Unread counts for the icons of apps: of rooms or messages, and of invitations. */
export function createBadges({ bus, store, unread, countsRooms }: BadgesNeeds) {
  const roomsOf = boundedCache<number, Rooms>(usersMax);
  let changes = 0;
  bus.subscribe(eventStream, (rows) => {
    for (const { row } of rows) {
      for (const { isLocal, userNid } of row.memberships) {
        if (!isLocal) continue;
        changes++;
        roomsOf.delete(userNid);
      }
    }
  });

  async function readRooms(userNid: number): Promise<Rooms> {
    const before = changes;
    const rows = await store.ofUser(userNid);
    const joined = rows.flatMap((row) => (row.membership === 'join' ? [row.roomNid] : []));
    const rooms = { joined, invites: rows.length - joined.length };
    if (before === changes) roomsOf.set(userNid, rooms);
    return rooms;
  }

  return {
    async of(user: { userNid: number; userId: string }): Promise<number> {
      const { joined, invites } = roomsOf.get(user.userNid) ?? (await readRooms(user.userNid));
      const counts = await unread.counts(user, joined);
      let badge = invites;
      for (const { main, threads } of counts.values()) {
        let messages = main.notifications;
        for (const { notifications } of threads.values()) messages += notifications;
        badge += countsRooms ? Math.min(messages, 1) : messages;
      }
      return badge;
    },
  };
}
