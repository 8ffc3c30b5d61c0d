import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { formatPlace, type TimelinePlace } from '../../streams/position.ts';
import { readableState, readableTimeline, timelineVisibility } from '../read-access.ts';
import type { RoomServices } from '../services.ts';
import type { StoredEvent } from '../stored-event.ts';
import {
  createEventWriter,
  parseFilterParameter,
  placeParameter,
  readContext,
} from '../timeline-page.ts';
import { positionOf, readPage } from '../read-page.ts';
import { nearestEvent } from '../nearest-event.ts';
import { timelineMatchOf } from '../event-filter.ts';

const declare = endpoint<RoomServices>();
const pagination = { group: 'pagination', balance: 'room' } as const;

const limitDefault = 10;
const limitMax = 1000;
const boundedLimit = (limit: number | undefined) => Math.min(limit ?? limitDefault, limitMax);

const start: TimelinePlace = { pos: 0, sub: 0 };

const getRoomEvents = declare({
  operation: 'getRoomEvents',
  method: 'GET',
  paths: clientPaths('/rooms/:roomId/messages'),
  auth: 'guest',
  runsOn: pagination,
  summary: "A page of a room's timeline",
  source: 'CS 1.19, getRoomEvents',
  query: Type.Object({
    // Required by the specification; others go forwards without it, and clients rely on that.
    dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
    from: Type.Optional(Type.String()),
    to: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    filter: Type.Optional(Type.String()),
  }),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM', 'M_BAD_JSON'],
  async handle({ params, query, requester }, services) {
    const roomId = params['roomId']!;
    const direction = query.dir ?? 'f';
    const filter = parseFilterParameter(query.filter);
    const given = placeParameter(query.from, 'from');
    const to = placeParameter(query.to, 'to');
    const reader = await readableTimeline(services, roomId, requester);
    // Another process may have let the user in just now.
    const end = { pos: Math.max(services.bus.position(), reader.access.pos), sub: 0 };
    const from = given ?? (direction === 'b' ? end : start);
    const { shown, next } = await readPage(services, reader, {
      direction,
      from,
      bound: to ? positionOf(to) : direction === 'b' ? -1 : Number.MAX_SAFE_INTEGER,
      limit: Math.min(boundedLimit(query.limit), filter?.limit ?? limitMax),
      match: filter && timelineMatchOf(filter),
    });
    const { access, visibility } = reader;
    const write = await createEventWriter(services, requester, access, visibility, shown);
    const chunk = shown.map(write).join(',');
    let text = `{"chunk":[${chunk}],"start":"${formatPlace(from)}"`;
    if (next) text += `,"end":"${formatPlace(next)}"`;
    if (filter?.lazyLoadMembers && shown.length > 0) {
      const senders = [...new Set(shown.map((event) => event.sender))];
      const newest = direction === 'b' ? shown[0]! : shown.at(-1)!;
      const members = await services.states.entries(
        access.roomNid,
        senders.map((sender) => ['m.room.member', sender] as const),
        newest.pos,
      );
      text += `,"state":[${members.map(write).join(',')}]`;
    }
    return new JsonText(`${text}}`);
  },
});

const getEventContext = declare({
  operation: 'getEventContext',
  method: 'GET',
  paths: clientPaths('/rooms/:roomId/context/:eventId'),
  auth: 'guest',
  runsOn: pagination,
  summary: 'An event with what surrounds it',
  source: 'CS 1.19, getEventContext',
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    filter: Type.Optional(Type.String()),
  }),
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params, query, requester }, services) {
    const { roomId, eventId } = params;
    const filter = parseFilterParameter(query.filter);
    const reader = await readableTimeline(services, roomId!, requester);
    const limit = boundedLimit(query.limit);
    const context = await readContext(services, reader, eventId!, {
      limit: filter?.limit ? Math.min(limit, filter.limit) : limit,
      match: filter && timelineMatchOf(filter),
    });
    const { event, before, after, startPlace, endPlace } = context;
    const { access, visibility } = reader;
    const events = [...before, event, ...after];
    const write = await createEventWriter(services, requester, access, visibility, events);
    const newest = after.at(-1) ?? event;
    let state: StoredEvent[];
    if (filter?.lazyLoadMembers) {
      const senders = new Set(events.map(({ sender }) => sender));
      state = (await services.states.state(access.roomNid, newest.pos)).filter(
        (entry) => entry.type !== 'm.room.member' || senders.has(entry.stateKey!),
      );
    } else {
      state = await services.states.state(access.roomNid, newest.pos);
    }
    const list = (events: readonly StoredEvent[]) => `[${events.map(write).join(',')}]`;
    return new JsonText(
      `{"event":${write(event)},"events_before":${list(before)},"events_after":${list(after)},` +
        `"state":${list(state)},"start":"${formatPlace(startPlace)}","end":"${formatPlace(endPlace)}"}`,
    );
  },
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
    const event = await nearestEvent(services, access, requester, query);
    if (!event) {
      const where = query.dir === 'f' ? 'forward' : 'backward';
      throw new MatrixError(
        'M_NOT_FOUND',
        `Unable to find event from ${query.ts} in direction ${where}`,
      );
    }
    return { event_id: event.eventId, origin_server_ts: event.originServerTs };
  },
});

export const timelineEndpoints = [
  getRoomEvents,
  getEventContext,
  getOneRoomEvent,
  getOneEvent,
  getEventByTimestamp,
];
