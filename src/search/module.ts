import type { Database, Queryable } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Log } from '../kernel/log.ts';
import type { Bus } from '../streams/bus.ts';
import { searchEndpoint } from './endpoints/search.ts';
import { createIndexer, type Indexer } from './indexer.ts';
import type { SearchNeeds } from './search.ts';
import { createFoundStore } from './store/found.ts';

export interface SearchModuleNeeds extends Omit<SearchNeeds, 'store'> {
  database: Database;
  /** Gives events with their names: `withEventNames`. */
  events: Queryable;
  bus: Bus;
  log: Log;
  /** [enable_search] */
  isEnabled: boolean;
}

export interface Search extends Pick<Indexer, 'stop'> {
  endpoints: Endpoint[];
  /** Follows the timeline from now on; for the process that does background work. */
  start(): void;
}

/** Search in messages. */
export function createSearch(needs: SearchModuleNeeds): Search {
  const { events, rooms, ignoredUsers, isEnabled } = needs;
  const indexer = createIndexer(needs);
  const store = createFoundStore(events);
  return {
    endpoints: bindEndpoints([searchEndpoint], { store, rooms, ignoredUsers, indexer, isEnabled }),
    start: () => (isEnabled ? indexer.start() : undefined),
    stop: () => indexer.stop(),
  };
}
