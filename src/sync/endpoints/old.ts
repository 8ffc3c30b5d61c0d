import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText, StreamedBody } from '../../http/endpoint.ts';
import type { Bus } from '../../streams/bus.ts';
import type { OldEvents } from '../old/events.ts';
import type { OldSync } from '../old/initial-sync.ts';
import { sinceOf } from './sync.ts';

export interface OldSyncEndpointNeeds {
  bus: Bus;
  old: OldSync;
  events: OldEvents;
}

const declare = endpoint<OldSyncEndpointNeeds>();
const limit = Type.Optional(Type.Integer({ minimum: 0 }));
const limitDefault = 10;
const limitMax = 1000;
const timeoutMsMax = 10 * 60 * 1000;
const timeoutMsDefault = 30 * 1000;

const getEvents = declare({
  operation: 'getEvents',
  method: 'GET',
  paths: clientPaths('/events', { also: ['v2_alpha'] }),
  auth: 'guest',
  runsOn: { group: 'sync', balance: 'user' },
  summary: 'New events of all joined rooms, or of one room, waiting for them if need be',
  source: 'CS 1.19, getEvents, peekEvents',
  deprecated: true,
  query: Type.Object({
    from: Type.Optional(Type.String()),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
    room_id: Type.Optional(Type.String()),
  }),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
  handle: async ({ query, requester, request }, { bus, events }) =>
    new JsonText(
      await events({
        reader: requester,
        roomId: query.room_id ?? null,
        from: await sinceOf(bus, query.from),
        timeoutMs: Math.min(query.timeout ?? timeoutMsDefault, timeoutMsMax),
        caller: request,
      }),
    ),
});

const initialSync = declare({
  operation: 'initialSync',
  method: 'GET',
  paths: clientPaths('/initialSync'),
  auth: 'guest',
  runsOn: { group: 'initial_sync', balance: 'user' },
  summary: "A snapshot of all the user's rooms",
  source: 'CS 1.19, initialSync',
  deprecated: true,
  query: Type.Object({ limit, archived: Type.Optional(Type.Boolean()) }),
  handle: ({ query, requester }, { old }) =>
    new StreamedBody(
      old.initialSync(requester, {
        limit: Math.min(query.limit ?? limitDefault, limitMax),
        includesLeft: query.archived ?? false,
      }),
    ),
});

const roomInitialSync = declare({
  operation: 'roomInitialSync',
  method: 'GET',
  paths: clientPaths('/rooms/:roomId/initialSync'),
  auth: 'guest',
  runsOn: { group: 'initial_sync', balance: 'user' },
  summary: 'A snapshot of one room',
  source: 'CS 1.19, roomInitialSync',
  deprecated: true,
  query: Type.Object({ limit }),
  errors: ['M_FORBIDDEN'],
  handle: async ({ params, query, requester }, { old }) =>
    new JsonText(
      await old.roomInitialSync(
        requester,
        params['roomId']!,
        Math.min(query.limit ?? limitDefault, limitMax),
      ),
    ),
});

export const oldSyncEndpoints = [getEvents, initialSync, roomInitialSync];
