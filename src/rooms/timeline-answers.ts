import { Type, type Static } from 'typebox';
import { JsonText } from '../http/endpoint.ts';
import { MatrixError } from '../kernel/errors.ts';
import { formatPlace, type TimelinePlace } from '../streams/position.ts';
import { timelineMatchOf } from './event-filter.ts';
import type { Actor } from './needs.ts';
import { positionOf, readPage, type TimelineReader } from './read-page.ts';
import type { RoomServices } from './services.ts';
import type { StoredEvent } from './stored-event.ts';
import {
  createEventWriter,
  parseFilterParameter,
  placeParameter,
  readContext,
} from './timeline-page.ts';

const limitDefault = 10;
const limitMax = 1000;
const boundedLimit = (limit: number | undefined) => Math.min(limit ?? limitDefault, limitMax);

const start: TimelinePlace = { pos: 0, sub: 0 };

export const messagesQuery = Type.Object({
  // Required by the specification; others go forwards without it, and clients rely on that.
  dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
  from: Type.Optional(Type.String()),
  to: Type.Optional(Type.String()),
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  filter: Type.Optional(Type.String()),
});

export const contextQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  filter: Type.Optional(Type.String()),
});

type Requester = Pick<Actor, 'userNid' | 'deviceNid'>;

/**
 * A page of a room's timeline (client-server spec, `GET /rooms/{roomId}/messages`). `readable` is asked
 * when the parameters are right. Throws M_INVALID_PARAM, M_BAD_JSON.
 */
export async function messagesAnswer(
  services: RoomServices,
  requester: Requester,
  query: Static<typeof messagesQuery>,
  readable: () => Promise<TimelineReader>,
): Promise<JsonText> {
  const direction = query.dir ?? 'f';
  const filter = parseFilterParameter(query.filter);
  const given = placeParameter(query.from, 'from');
  const to = placeParameter(query.to, 'to');
  const reader = await readable();
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
}

/**
 * An event with what surrounds it (client-server spec, `GET /rooms/{roomId}/context/{eventId}`). As
 * `messagesAnswer`; throws M_NOT_FOUND, too.
 */
export async function contextAnswer(
  services: RoomServices,
  requester: Requester,
  { eventId, ...query }: Static<typeof contextQuery> & { eventId: string },
  readable: () => Promise<TimelineReader>,
): Promise<JsonText> {
  const filter = parseFilterParameter(query.filter);
  const reader = await readable();
  const limit = boundedLimit(query.limit);
  const context = await readContext(services, reader, eventId, {
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
}

/** The event nearest to a time (MSC3030). Throws M_NOT_FOUND where there is none. */
export function nearestAnswer(
  event: StoredEvent | null,
  { ts, dir }: { ts: number; dir: 'b' | 'f' },
) {
  if (!event) {
    const where = dir === 'f' ? 'forward' : 'backward';
    const message = `Unable to find event from ${ts} in direction ${where}`;
    throw new MatrixError('M_NOT_FOUND', message);
  }
  return { event_id: event.eventId, origin_server_ts: event.originServerTs };
}
