import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import {
  contextAnswer,
  contextQuery,
  messagesAnswer,
  messagesQuery,
  nearestAnswer,
  wholeTimeline,
} from '../../rooms/module.ts';
import { shared, type RoomAdminServices } from '../needs.ts';

const declare = endpoint<RoomAdminServices>();
const path = '/_synapse/admin/v1/rooms/:roomId';

const getMessages = declare({
  ...shared,
  operation: 'adminGetRoomMessages',
  method: 'GET',
  paths: [`${path}/messages`],
  summary: "A page of a room's timeline, all that there is",
  source: 'Synapse admin API, "Room Messages API"',
  query: messagesQuery,
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM', 'M_BAD_JSON'],
  handle: ({ params, query, requester }, { rooms }) =>
    messagesAnswer(rooms, requester, query, () =>
      wholeTimeline(rooms, params['roomId']!, requester),
    ),
});

const getContext = declare({
  ...shared,
  operation: 'adminGetEventContext',
  method: 'GET',
  paths: [`${path}/context/:eventId`],
  summary: 'An event with what surrounds it',
  source: 'Synapse admin API, "Event Context API"',
  query: contextQuery,
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM', 'M_BAD_JSON'],
  handle: ({ params, query, requester }, { rooms }) =>
    contextAnswer(rooms, requester, { ...query, eventId: params['eventId']! }, () =>
      wholeTimeline(rooms, params['roomId']!, requester),
    ),
});

const getByTimestamp = declare({
  ...shared,
  operation: 'adminGetEventByTimestamp',
  method: 'GET',
  paths: [`${path}/timestamp_to_event`],
  summary: 'The event nearest to a time',
  source: 'Synapse admin API, "Room Timestamp to Event API"',
  query: Type.Object({
    ts: Type.Integer({ minimum: 0 }),
    dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
  }),
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params, query, requester }, { rooms }) {
    const { access } = await wholeTimeline(rooms, params['roomId']!, requester);
    const wish = { ts: query.ts, dir: query.dir ?? ('f' as const) };
    return nearestAnswer(await rooms.timeline.nearest(access.roomNid, wish.ts, wish.dir), wish);
  },
});

export const readingEndpoints = [getMessages, getContext, getByTimestamp];
