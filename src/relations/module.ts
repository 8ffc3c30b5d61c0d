import type { Queryable } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Aggregations, RoomServices } from '../rooms/module.ts';
import { createAggregations, type AggregationNeeds } from './aggregations.ts';
import { relationEndpoints } from './endpoints/relations.ts';
import { getThreadRoots } from './endpoints/threads.ts';
import { createAggregationStore } from './store/aggregations.ts';
import { createRelationStore } from './store/relations.ts';
import { createThreadStore } from './store/threads.ts';

export interface RelationsNeeds extends Omit<AggregationNeeds, 'store' | 'erasedAmong'> {
  /** Gives events with their names: `withEventNames`. */
  events: Queryable;
  rooms: RoomServices;
}

/** What clients see of events that refer to others. */
export function createRelations(needs: RelationsNeeds): {
  endpoints: Endpoint[];
  aggregations: Aggregations;
} {
  const { events, rooms } = needs;
  return {
    endpoints: [
      ...bindEndpoints(relationEndpoints, { rooms, store: createRelationStore(events) }),
      ...bindEndpoints([getThreadRoots], { rooms, threads: createThreadStore(events) }),
    ],
    aggregations: createAggregations({
      ...needs,
      store: createAggregationStore(events),
      erasedAmong: rooms.erasedAmong,
    }),
  };
}
