import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { readableState, readableTimeline, timelineVisibility } from '../read-access.ts';
import type { RoomServices } from '../services.ts';
import {
  contextAnswer,
  contextQuery,
  messagesAnswer,
  messagesQuery,
  nearestAnswer,
} from '../timeline-answers.ts';
import { createEventWriter } from '../timeline-page.ts';
import { nearestEvent } from '../nearest-event.ts';

const declare = endpoint<RoomServices>();
const pagination = { group: 'pagination', balance: 'room' } as const;

const getRoomEvents = declare({
  operation: 'getRoomEvents',
  method: 'GET',
  paths: clientPaths('/rooms/:roomId/messages'),
  auth: 'guest',
  runsOn: pagination,
  summary: "A page of a room's timeline",
  source: 'CS 1.19, getRoomEvents',
  query: messagesQuery,
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM', 'M_BAD_JSON'],
  handle: ({ params, query, requester }, services) =>
    messagesAnswer(services, requester, query, () =>
      readableTimeline(services, params['roomId']!, requester),
    ),
});

const getEventContext = declare({
  operation: 'getEventContext',
  method: 'GET',
  paths: clientPaths('/rooms/:roomId/context/:eventId'),
  auth: 'guest',
  runsOn: pagination,
  summary: 'An event with what surrounds it',
  source: 'CS 1.19, getEventContext',
  query: contextQuery,
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  handle: ({ params, query, requester }, services) =>
    contextAnswer(services, requester, { ...query, eventId: params['eventId']! }, () =>
      readableTimeline(services, params['roomId']!, requester),
    ),
});

const getOneRoomEvent = declare({
  operation: 'getOneRoomEvent',
  method: 'GET',
  paths: clientPaths('/rooms/:roomId/event/:eventId'),
  auth: 'guest',
  runsOn: { group: 'client', balance: 'room' },
  summary: 'One event of a room',
  source: 'CS 1.19, getOneRoomEvent',
  errors: ['M_NOT_FOUND', 'M_FORBIDDEN'],
  async handle({ params, requester }, services) {
    const { roomId, eventId } = params;
    const notFound = () => new MatrixError('M_NOT_FOUND', 'Event not found.');
    const access = await services.access.of(roomId!, requester.userNid);
    if (!access) throw notFound();
    const [event, visibility] = await Promise.all([
      services.timeline.event(access.roomNid, eventId!),
      timelineVisibility(services, access.roomNid, requester),
    ]);
    const isThere = event !== null && event.status === 0 && event.pos !== null;
    if (!isThere || access.isForgotten || !visibility.allows(event)) throw notFound();
    const write = await createEventWriter(services, requester, access, visibility, [event]);
    return new JsonText(write(event));
  },
});

const getOneEvent = declare({
  operation: 'getOneEvent',
  method: 'GET',
  paths: clientPaths('/events/:eventId'),
  auth: 'guest',
  runsOn: { group: 'client', balance: 'none' },
  summary: 'One event by its id alone',
  source: 'CS 1.19, getOneEvent',
  deprecated: true,
  errors: ['M_NOT_FOUND'],
  async handle({ params, requester }, services) {
    const event = await services.timeline.eventAnywhere(params['eventId']!);
    if (!event) throw new MatrixError('M_NOT_FOUND', 'Event not found.');
    const { access, visibility } = await readableTimeline(services, event.roomId, requester);
    if (!visibility.allows(event)) throw new MatrixError('M_NOT_FOUND', 'Event not found.');
    const write = await createEventWriter(services, requester, access, visibility, [event]);
    return new JsonText(write(event));
  },
});

const getEventByTimestamp = declare({
  operation: 'getEventByTimestamp',
  method: 'GET',
  paths: clientPaths('/rooms/:roomId/timestamp_to_event', {
    since: 'v1',
    also: ['unstable/org.matrix.msc3030'],
  }),
  auth: 'user',
  runsOn: pagination,
  summary: 'The event nearest to a time',
  source: 'CS 1.19, getEventByTimestamp; MSC3030',
  query: Type.Object({
    ts: Type.Integer({ minimum: 0 }),
    dir: Type.Union([Type.Literal('b'), Type.Literal('f')]),
  }),
  errors: ['M_NOT_FOUND', 'M_FORBIDDEN'],
  async handle({ params, query, requester }, services) {
    const { access } = await readableState(services, params['roomId']!, requester);
    return nearestAnswer(await nearestEvent(services, access, requester, query), query);
  },
});

export const timelineEndpoints = [
  getRoomEvents,
  getEventContext,
  getOneRoomEvent,
  getOneEvent,
  getEventByTimestamp,
];
