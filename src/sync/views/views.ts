import { boundedCache } from '../../kernel/bounded-cache.ts';
import { positionOf, type Bus } from '../../streams/bus.ts';
import type { StreamRow } from '../../streams/define-stream.ts';
import {
  eventStream,
  forgottenRoomStream,
  purgedHistoryStream,
  removedRoomStream,
  type EventRow,
} from '../../rooms/module.ts';
import type { SyncSources } from '../sources.ts';
import type { TimelineStore } from '../store/timelines.ts';
import type { DeviceView } from './device-view.ts';
import { createPresenceWakes } from './presence-wakes.ts';
import { RoomView } from './room-view.ts';
import { UserView, type RoomOfUser } from './user-view.ts';

/** Users whose rooms are kept in memory. */
const activeUsersMax = 20_000;

/**
 * The memory that sync answers from. Rooms are held while one of their joined users is active;
 * users while they have synced lately. Fed by the event stream, so it never asks what is new.
 */
export interface SyncViews {
  /** The user's view, loaded when there is none. Call `release` when done with it. */
  acquire(userNid: number, userId: string): Promise<UserView>;
  release(user: UserView): void;
  /** The user's own data has changed. */
  touchUser(userNid: number, pos: number): void;
  /** Something that is not an event has changed in a room. */
  touchRoom(roomNid: number, change: { receiptPos?: number; typingPos?: number }): void;
  /** A device has got a message. */
  touchDevice(userNid: number, deviceNid: number, pos: number): void;
  /** Others have claimed keys of a device, or it has new ones. */
  touchDeviceKeys(userNid: number, deviceNid: number): void;
  /** Forgets the one-time keys of all devices: changes may have been missed. */
  forgetDeviceKeys(): void;
  /** What the user and those in these rooms see of somebody's devices has changed. */
  touchDeviceLists(userNid: number, roomNids: readonly number[], pos: number): void;
  /** The user's presence has changed; those who share a room with them are woken soon. */
  touchPresence(userNid: number): void;
}

/** Whether a room the user is not in may be one that was left last. */
function hasLeft(
  before: RoomOfUser | undefined,
  row: Pick<RoomOfUser, 'membership'>,
  isLoaded: boolean,
): boolean {
  const isGone = row.membership === 'leave' || row.membership === 'ban';
  if (isLoaded) return isGone;
  return before?.membership === 'join' || (isGone && (before?.wasJoined ?? false));
}

export function createSyncViews(
  store: Pick<TimelineStore, 'memberships'>,
  bus: Bus,
  { typing, joinedRooms }: Pick<SyncSources, 'typing' | 'joinedRooms'>,
): SyncViews {
  const rooms = new Map<number, RoomView>();
  const users = new Map<number, UserView>();
  const resting = boundedCache<number, UserView>(activeUsersMax, {
    dispose: (user, _nid, reason) => {
      if (reason === 'evict') forget(user);
    },
  });
  const loading = new Map<number, Promise<UserView>>();
  const toWake = new Set<UserView | DeviceView>();

  function forget(user: UserView): void {
    users.delete(user.userNid);
    for (const { view } of user.rooms.values()) {
      if (view) leaveView(view, user);
    }
  }

  function leaveView(view: RoomView, user: UserView): void {
    view.activeUsers.delete(user);
    if (view.activeUsers.size === 0) rooms.delete(view.roomNid);
  }

  function enterView(
    room: Pick<RoomOfUser, 'roomNid' | 'roomId' | 'roomVersion'>,
    user: UserView,
    position: number,
  ): RoomView {
    let view = rooms.get(room.roomNid);
    if (!view) {
      view = new RoomView(room, position, typing.changedAt(room.roomNid));
      rooms.set(room.roomNid, view);
    }
    view.activeUsers.add(user);
    return view;
  }

  /** Applies a membership; the newest wins, whatever the order of arrival. */
  function setMembership(
    user: UserView,
    row: Omit<RoomOfUser, 'view' | 'joinedPos' | 'isJoinedPosExact' | 'wasJoined'>,
    windowStart: number,
    isLoaded: boolean,
  ): void {
    const before = user.rooms.get(row.roomNid);
    if (before && before.pos >= row.pos) return;
    const stays = before?.membership === 'join' && row.membership === 'join';
    const wasJoined = hasLeft(before, row, isLoaded);
    const room = {
      ...row,
      wasJoined,
      joinedPos: stays ? before.joinedPos : row.pos,
      isJoinedPosExact: stays ? before.isJoinedPosExact : !isLoaded,
    };
    let view = before?.view ?? null;
    if (row.membership === 'join') view ??= enterView(room, user, windowStart);
    else if (view) {
      leaveView(view, user);
      view = null;
    }
    user.rooms.set(row.roomNid, { ...room, view });
    user.ownPos = Math.max(user.ownPos, row.pos);
  }

  function onEvents(rows: readonly StreamRow<EventRow>[]): void {
    for (const { pos, row } of rows) {
      const { event, roomId, roomVersion } = row;
      for (const { isLocal, userNid, to } of row.memberships) {
        const user = isLocal ? users.get(userNid) : undefined;
        if (!user) continue;
        const { roomNid, senderNid } = event;
        const room = { roomNid, roomId, roomVersion, membership: to, pos, senderNid };
        setMembership(user, { ...room, isForgotten: false }, pos - 1, false);
        toWake.add(user);
      }
      const room = rooms.get(event.roomNid);
      if (!room) continue;
      if (row.redacted) room.replace(row.redacted);
      room.append(event);
      for (const user of room.activeUsers) toWake.add(user);
    }
  }

  bus.subscribe(eventStream, onEvents);
  /** Grows when rows that say what was forgotten may have been missed. */
  let misses = 0;
  bus.onMissed(() => {
    misses++;
  });

  /** Reads which of the rooms that the user has left were forgotten, if that may have been missed. */
  async function recallForgotten(user: UserView): Promise<void> {
    if (user.missesKnown === misses) return;
    const before = misses;
    const hasLeftRooms = [...user.rooms.values()].some(({ membership }) => membership !== 'join');
    for (const row of hasLeftRooms ? await store.memberships(user.userNid) : []) {
      const room = user.rooms.get(row.roomNid);
      if (room?.pos === row.pos) room.isForgotten = row.isForgotten;
    }
    user.missesKnown = before;
  }

  bus.subscribe(forgottenRoomStream, (rows) => {
    for (const { row } of rows) {
      const room = users.get(row.userNid)?.rooms.get(row.roomNid);
      if (room && room.membership !== 'join') room.isForgotten = true;
    }
  });

  bus.subscribe(removedRoomStream, (rows) => {
    for (const { row } of rows) {
      const view = rooms.get(row.roomNid);
      for (const user of view?.activeUsers ?? []) leaveView(view!, user);
      for (const { rooms: own } of users.values()) {
        const room = own.get(row.roomNid);
        if (room) Object.assign(room, { membership: 'leave', isForgotten: true, view: null });
      }
    }
  });

  bus.subscribe(purgedHistoryStream, (rows) => {
    for (const { row } of rows) rooms.get(row.roomNid)?.trim(0);
  });

  function wake(woken: Iterable<UserView | DeviceView>): void {
    const upto = positionOf(bus);
    for (const one of woken) {
      if (one instanceof UserView) one.newsUpto = upto;
      for (const waiter of one.waiters) waiter();
    }
  }

  bus.afterRows(() => {
    if (toWake.size === 0) return;
    wake(toWake);
    toWake.clear();
  });

  async function load(userNid: number, userId: string): Promise<UserView> {
    // Registered before the read: rows that arrive meanwhile are applied, and are newer.
    const position = bus.position();
    const user = new UserView(userNid, userId, position);
    user.missesKnown = misses;
    users.set(userNid, user);
    try {
      const rows = await store.memberships(userNid);
      // The database may be ahead of what has reached the readers here.
      await bus.reached(rows.reduce((max, { pos }) => Math.max(max, pos), 0));
      // Rows of the stream reach a room's view from now on.
      const now = bus.position();
      for (const row of rows) setMembership(user, row, now, true);
      user.newsUpto = positionOf(bus);
    } catch (error) {
      forget(user);
      throw error;
    }
    return user;
  }

  function release(user: UserView): void {
    if (--user.users === 0) resting.set(user.userNid, user);
  }

  const presenceWakes = createPresenceWakes(joinedRooms, (roomNids) => {
    wake(new Set([...roomNids].flatMap((nid) => [...(rooms.get(nid)?.activeUsers ?? [])])));
  });

  return {
    async acquire(userNid, userId) {
      let user = users.get(userNid);
      if (!user || loading.has(userNid)) {
        let promise = loading.get(userNid);
        if (!promise) {
          promise = load(userNid, userId).finally(() => loading.delete(userNid));
          loading.set(userNid, promise);
        }
        user = await promise;
      }
      user.users++;
      resting.delete(userNid);
      try {
        await recallForgotten(user);
      } catch (error) {
        release(user);
        throw error;
      }
      return user;
    },
    release,
    touchUser(userNid, pos) {
      const user = users.get(userNid);
      if (!user) return;
      user.ownPos = Math.max(user.ownPos, pos);
      toWake.add(user);
    },
    touchRoom(roomNid, { receiptPos = 0, typingPos = 0 }) {
      const room = rooms.get(roomNid);
      if (!room) return;
      room.receiptPos = Math.max(room.receiptPos, receiptPos);
      room.typingPos = Math.max(room.typingPos, typingPos);
      for (const user of room.activeUsers) toWake.add(user);
    },
    touchDevice(userNid, deviceNid, pos) {
      const device = users.get(userNid)?.devices.get(deviceNid);
      if (!device) return;
      device.received(pos);
      toWake.add(device);
    },
    touchDeviceKeys(userNid, deviceNid) {
      users.get(userNid)?.devices.get(deviceNid)?.keysChanged();
    },
    forgetDeviceKeys() {
      for (const user of users.values())
        for (const device of user.devices.values()) device.keysChanged();
    },
    touchDeviceLists(userNid, roomNids, pos) {
      const self = users.get(userNid);
      const concerned = roomNids.flatMap((nid) => [...(rooms.get(nid)?.activeUsers ?? [])]);
      for (const user of self ? [self, ...concerned] : concerned) {
        user.deviceListsPos = Math.max(user.deviceListsPos, pos);
        toWake.add(user);
      }
    },
    touchPresence(userNid) {
      if (rooms.size > 0) presenceWakes.changed(userNid);
    },
  };
}
