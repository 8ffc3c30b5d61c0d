import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText, type Requester } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import {
  createEventWriter,
  placeBefore,
  placeParameter,
  readableTimeline,
  type RoomServices,
} from '../../rooms/module.ts';
import { formatPlace } from '../../streams/position.ts';
import { recursionDepth, type RelationStore } from '../store/relations.ts';

export interface RelationNeeds {
  rooms: RoomServices;
  store: RelationStore;
}

const declare = endpoint<RelationNeeds>();

/** As others have it; enough for the reactions to a message. */
const limitDefault = 5;
const limitMax = 100;

const newest = { pos: Number.MAX_SAFE_INTEGER, sub: 0 };
const oldest = { pos: 0, sub: 0 };

const query = Type.Object({
  dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
  from: Type.Optional(Type.String()),
  to: Type.Optional(Type.String()),
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  recurse: Type.Optional(Type.Boolean()),
  'org.matrix.msc3981.recurse': Type.Optional(Type.Boolean()),
});

interface Wanted {
  roomId: string;
  eventId: string;
  relType: string | null;
  eventType: string | null;
}

interface Page {
  dir?: 'b' | 'f';
  from?: string;
  to?: string;
  limit?: number;
  recurse?: boolean;
  'org.matrix.msc3981.recurse'?: boolean;
}

async function relatingEvents(
  { rooms, store }: RelationNeeds,
  requester: Requester,
  { roomId, eventId, relType, eventType }: Wanted,
  page: Page,
): Promise<JsonText> {
  const direction = page.dir ?? 'b';
  const given = placeParameter(page.from, 'from');
  const from = given ?? (direction === 'b' ? newest : oldest);
  const to = placeParameter(page.to, 'to');
  const limit = Math.min(page.limit ?? limitDefault, limitMax);
  const recurse = page.recurse ?? page['org.matrix.msc3981.recurse'] ?? false;
  const { access, visibility } = await readableTimeline(rooms, roomId, requester);
  const [parent, events] = await Promise.all([
    rooms.timeline.event(access.roomNid, eventId),
    store.children({
      roomNid: access.roomNid,
      parentId: eventId,
      relType,
      eventType,
      direction,
      from,
      bound: to?.pos ?? (direction === 'b' ? -1 : Number.MAX_SAFE_INTEGER),
      limit: limit + 1,
      recurse,
    }),
  ]);
  if (!parent || parent.status !== 0 || !visibility.allows(parent)) {
    throw new MatrixError('M_NOT_FOUND', 'Unknown parent event.');
  }
  const read = events.slice(0, limit);
  const shown = read.filter((event) => visibility.allows(event));
  const write = await createEventWriter(rooms, requester, access, visibility, shown);
  let text = `{"chunk":[${shown.map(write).join(',')}]`;
  const last = read.at(-1);
  if (last && events.length > limit) {
    const next = direction === 'b' ? placeBefore(last) : { pos: last.pos!, sub: last.sub };
    text += `,"next_batch":"${formatPlace(next)}"`;
  }
  if (given) text += `,"prev_batch":"${formatPlace(given)}"`;
  if (recurse) text += `,"recursion_depth":${recursionDepth}`;
  return new JsonText(`${text}}`);
}

const shared = {
  method: 'GET',
  auth: 'guest',
  runsOn: { group: 'pagination', balance: 'room' },
  query,
  errors: ['M_NOT_FOUND', 'M_FORBIDDEN', 'M_INVALID_PARAM'],
} as const;
const base = '/rooms/:roomId/relations/:eventId';

const getRelatingEvents = declare({
  ...shared,
  operation: 'getRelatingEvents',
  paths: clientPaths(base, { since: 'v1' }),
  summary: 'The events that refer to an event',
  source: 'CS 1.19, getRelatingEvents',
  handle: ({ params, query: page, requester }, needs) => {
    const { roomId, eventId } = params;
    const wanted = { roomId: roomId!, eventId: eventId!, relType: null, eventType: null };
    return relatingEvents(needs, requester, wanted, page);
  },
});

const getRelatingEventsWithRelType = declare({
  ...shared,
  operation: 'getRelatingEventsWithRelType',
  paths: clientPaths(`${base}/:relType`, { since: 'v1' }),
  summary: 'The events that refer to an event in one way',
  source: 'CS 1.19, getRelatingEventsWithRelType',
  handle: ({ params, query: page, requester }, needs) => {
    const { roomId, eventId, relType } = params;
    const wanted = { roomId: roomId!, eventId: eventId!, relType: relType!, eventType: null };
    return relatingEvents(needs, requester, wanted, page);
  },
});

const getRelatingEventsWithRelTypeAndEventType = declare({
  ...shared,
  operation: 'getRelatingEventsWithRelTypeAndEventType',
  paths: clientPaths(`${base}/:relType/:eventType`, { since: 'v1' }),
  summary: 'The events of one type that refer to an event in one way',
  source: 'CS 1.19, getRelatingEventsWithRelTypeAndEventType',
  handle: ({ params, query: page, requester }, needs) => {
    const { roomId, eventId, relType, eventType } = params;
    const wanted = {
      roomId: roomId!,
      eventId: eventId!,
      relType: relType!,
      eventType: eventType!,
    };
    return relatingEvents(needs, requester, wanted, page);
  },
});

export const relationEndpoints = [
  getRelatingEvents,
  getRelatingEventsWithRelType,
  getRelatingEventsWithRelTypeAndEventType,
];
