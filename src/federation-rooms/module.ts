import type { Queryable } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { RoomServices } from '../rooms/module.ts';
import { createServerAccess, type ServerAccess } from './access.ts';
import { createAuthChains, type AuthChains } from './auth-chains.ts';
import { createComplexity, type Complexity } from './complexity.ts';
import { getRoomComplexity } from './endpoints/complexity.ts';
import { eventEndpoints } from './endpoints/events.ts';
import { historyEndpoints } from './endpoints/history.ts';
import type { FederationRoomsServices } from './endpoints/needs.ts';
import { stateEndpoints } from './endpoints/state.ts';
import { createServerView, type ServerView } from './server-view.ts';
import { roomBefore, type RoomBefore } from './state-before.ts';
import { createAuthChainStore } from './store/auth-chains.ts';
import { createEventStore, type EventStore } from './store/events.ts';
import { createServerViewStore } from './store/server-view.ts';
import { createTurns } from './turns.ts';

export type { ServerAccess } from './access.ts';
export type { RoomBefore } from './state-before.ts';
export type { AuthChains } from './auth-chains.ts';
export { idListParts, listsText, pduListParts } from './pdu-lists.ts';
export { pduText, placeBefore, type ServerView } from './server-view.ts';
export type { ChainRow } from './store/auth-chains.ts';
export type { EventStore, PduRow, PlacedEvent, RoomRow } from './store/events.ts';

export interface FederationRoomsNeeds {
  /** With the names of events put in; see `withEventNames`. */
  events: Queryable;
  rooms: Pick<
    RoomServices,
    | 'clock'
    | 'config'
    | 'servers'
    | 'serverAcls'
    | 'timeline'
    | 'erasedAmong'
    | 'members'
    | 'states'
    | 'foreign'
  >;
}

export interface FederationRooms {
  access: ServerAccess;
  events: EventStore;
  authChains: AuthChains;
  view: ServerView;
  /** The room before one of its events, for a server that joins with it. */
  before(roomId: string, eventId: string): Promise<RoomBefore>;
  complexityOf(roomNid: number): Promise<Complexity>;
  endpoints: Endpoint[];
}

/** What other servers may read of rooms. */
export function createFederationRooms({ events, rooms }: FederationRoomsNeeds): FederationRooms {
  const store = createEventStore(events);
  const access = createServerAccess({ store, rooms });
  const authChains = createAuthChains(createAuthChainStore(events));
  const view = createServerView({
    store: createServerViewStore(events),
    erasedAmong: rooms.erasedAmong,
  });
  const complexity = createComplexity({ rooms });
  const services: FederationRoomsServices = {
    serverName: rooms.config.serverName,
    clock: rooms.clock,
    timeline: rooms.timeline,
    events: store,
    access,
    authChains,
    view,
    complexity,
    turns: createTurns(),
  };
  const declared = [...eventEndpoints, ...historyEndpoints, ...stateEndpoints, getRoomComplexity];
  return {
    access,
    events: store,
    authChains,
    view,
    before: (roomId, eventId) => roomBefore({ events: store, authChains }, roomId, eventId),
    complexityOf: complexity.of,
    endpoints: bindEndpoints(declared, services),
  };
}
