import type { Queryable } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Bus } from '../streams/bus.ts';
import type { SyncParts, SyncSources } from '../sync/module.ts';
import { createConnections } from './connections.ts';
import { slidingSyncEndpoint } from './endpoints/sliding-sync.ts';
import { createSlidingSync } from './engine.ts';
import { createLabels } from './labels.ts';
import { createRoomFacts } from './room-facts.ts';
import type { MemberNames } from './room-states.ts';
import { createConnectionStore } from './store/connections.ts';
import { createRoomStore } from './store/rooms.ts';

export { durablePosOf } from './thread-subscriptions.ts';

export interface SlidingSyncModuleNeeds {
  database: Queryable;
  /** Gives events with their names: `withEventNames`. */
  events: Queryable;
  bus: Bus;
  clock: Clock;
  sources: SyncSources;
  parts: SyncParts;
  names: MemberNames;
}

/** How long a connection that is not gone on with is kept. */
const connectionKeptMs = 30 * 24 * 60 * 60 * 1000;

/** Simplified sliding sync (MSC4186). */
export function createSlidingSyncModule(needs: SlidingSyncModuleNeeds): {
  endpoints: Endpoint[];
  /** Forgets connections that are long over; to be called now and then. */
  tidy(): Promise<void>;
} {
  const { bus, clock, sources, parts, names } = needs;
  const connectionStore = createConnectionStore(needs.database);
  const store = createRoomStore(needs.events);
  const slidingSync = createSlidingSync({
    bus,
    clock,
    parts,
    sources,
    connections: createConnections(connectionStore, clock),
    facts: createRoomFacts(store, bus),
    labels: createLabels(sources.accountData, bus),
    store,
    names,
  });
  const { presence } = sources;
  return {
    endpoints: bindEndpoints([slidingSyncEndpoint], { slidingSync, presence }),
    tidy: () => connectionStore.deleteBefore(clock.now() - connectionKeptMs),
  };
}
