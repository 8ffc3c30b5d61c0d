import type { Queryable } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Bus } from '../streams/bus.ts';
import { oldSyncEndpoints } from './endpoints/old.ts';
import { sync } from './endpoints/sync.ts';
import { createSyncEngine } from './engine.ts';
import { createLazyMemberMemory } from './lazy-members.ts';
import { createRoomLoader } from './load-rooms.ts';
import { createOldEvents } from './old/events.ts';
import { createOldSync } from './old/initial-sync.ts';
import type { SyncSources } from './sources.ts';
import { createRoomStateStore } from './store/room-states.ts';
import { createTimelineStore } from './store/timelines.ts';
import { createSyncViews, type SyncViews } from './views/views.ts';

export type {
  AccountDataChanges,
  AccountDataEntry,
  RoomUnread,
  SyncSources,
  UnreadCount,
} from './sources.ts';
export type { SyncViews } from './views/views.ts';

export interface SyncNeeds {
  /** Gives events with their names: `withEventNames`. */
  events: Queryable;
  bus: Bus;
  clock: Clock;
  sources: SyncSources;
}

/** `/sync` and the memory it answers from. */
export function createSync(needs: SyncNeeds): { endpoints: Endpoint[]; views: SyncViews } {
  const { events: database, bus, clock, sources } = needs;
  const timelines = createTimelineStore(database);
  const views = createSyncViews(timelines, bus);
  const loader = createRoomLoader(timelines, createRoomStateStore(database));
  const lazyMembers = createLazyMemberMemory();
  const engine = createSyncEngine({ bus, clock, views, loader, lazyMembers, sources });
  const oldNeeds = { bus, clock, views, loader, sources };
  const old = createOldSync(oldNeeds);
  const events = createOldEvents(oldNeeds, timelines);
  const endpoints = [
    ...bindEndpoints([sync], { engine, sources }),
    ...bindEndpoints(oldSyncEndpoints, { old, events }),
  ];
  return { endpoints, views };
}
