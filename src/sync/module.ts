import type { Queryable } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Bus } from '../streams/bus.ts';
import { oldSyncEndpoints } from './endpoints/old.ts';
import { sync } from './endpoints/sync.ts';
import { createDeviceLists, type DeviceListReader } from './device-lists.ts';
import { createDeviceNews, type DeviceNewsReader } from './device-news.ts';
import { createSyncEngine } from './engine.ts';
import { createLazyMemberMemory } from './lazy-members.ts';
import { createRoomLoader, type RoomLoader } from './load-rooms.ts';
import { planRooms } from './plan.ts';
import { createOldEvents } from './old/events.ts';
import { createOldSync } from './old/initial-sync.ts';
import type { DeviceListChanges, SyncSources } from './sources.ts';
import { createRoomStateStore } from './store/room-states.ts';
import { createSharingStore } from './store/sharing.ts';
import { createTimelineStore } from './store/timelines.ts';
import { createSyncViews, type SyncViews } from './views/views.ts';

export type {
  AccountDataChanges,
  AccountDataEntry,
  DeviceListChanges,
  RoomUnread,
  SyncSources,
  UnreadCount,
} from './sources.ts';
export type { SyncReader } from './engine.ts';
export { messagesMax } from './device-news.ts';
export { pageOf, parentsIn } from './parents.ts';
export { isUnwanted, unwantedInviters, type UnwantedInviters } from './hidden-invites.ts';
export { isQuiet, newPlan, type RoomPlan } from './plan.ts';
export type { DeviceView } from './views/device-view.ts';
export type { RoomOfUser, UserView } from './views/user-view.ts';
export type { SyncViews } from './views/views.ts';
export { waitForNews } from './wait.ts';
export { entriesJson } from './write-rooms.ts';

export interface SyncNeeds {
  /** Gives events with their names: `withEventNames`. */
  events: Queryable;
  bus: Bus;
  clock: Clock;
  sources: SyncSources;
}

/** What `/sync` is made of, for other forms of it. */
export interface SyncParts {
  views: SyncViews;
  loader: RoomLoader;
  deviceNews: DeviceNewsReader;
  deviceLists: DeviceListReader;
}

export interface Sync {
  endpoints: Endpoint[];
  views: SyncViews;
  parts: SyncParts;
  /** Users whose devices and keys a client has to look at anew since a durable position. */
  deviceListChanges(
    reader: { userNid: number; userId: string },
    afterPos: number,
  ): Promise<DeviceListChanges>;
}

/** `/sync` and the memory it answers from. */
export function createSync(needs: SyncNeeds): Sync {
  const { events: database, bus, clock, sources } = needs;
  const timelines = createTimelineStore(database);
  const views = createSyncViews(timelines, bus, sources);
  const loader = createRoomLoader(
    timelines,
    createRoomStateStore(database),
    sources.erasedAmong,
    sources.retention,
  );
  const lazyMembers = createLazyMemberMemory();
  const deviceNews = createDeviceNews(sources);
  const deviceLists = createDeviceLists(sources.deviceLists, createSharingStore(database));
  const engine = createSyncEngine({
    bus,
    clock,
    views,
    loader,
    lazyMembers,
    deviceNews,
    deviceLists,
    sources,
  });
  const oldNeeds = { bus, clock, views, loader, sources };
  const old = createOldSync(oldNeeds);
  const events = createOldEvents(oldNeeds, timelines);
  const endpoints = [
    ...bindEndpoints([sync], { bus, engine, sources }),
    ...bindEndpoints(oldSyncEndpoints, { bus, old, events }),
  ];
  return {
    endpoints,
    views,
    parts: { views, loader, deviceNews, deviceLists },
    async deviceListChanges({ userNid, userId }, afterPos) {
      await bus.caughtUp();
      const user = await views.acquire(userNid, userId);
      try {
        const uptoPos = bus.position();
        const plans = planRooms(user, {
          since: afterPos,
          uptoPos,
          timelineLimit: 0,
          includeLeave: false,
          fullState: false,
          wantsRoom: () => true,
        });
        // When the user came to a room may be in doubt after a restart.
        await loader.settleJoins([...plans.values()], userId, afterPos);
        return await deviceLists(user, afterPos, uptoPos);
      } finally {
        views.release(user);
      }
    },
  };
}
