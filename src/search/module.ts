import type { Database, Queryable } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
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
  /** [enable_search] */
  isEnabled: boolean;
}

export interface Search extends Pick<Indexer, 'stop'> {
  endpoints: Endpoint[];
  /** Takes in what is new; for the process that does the work of the background, now and then. */
  index(): Promise<void>;
}

/** Search in messages. */
export function createSearch(needs: SearchModuleNeeds): Search {
  const { events, rooms, ignoredUsers, isEnabled } = needs;
  const indexer = createIndexer(needs);
  const store = createFoundStore(events);
  return {
    endpoints: bindEndpoints([searchEndpoint], { store, rooms, ignoredUsers, indexer, isEnabled }),
    index: async () => (isEnabled ? indexer.index() : undefined),
    stop: () => indexer.stop(),
  };
}
