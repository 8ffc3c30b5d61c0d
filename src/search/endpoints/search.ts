import { Type, type Static } from 'typebox';
import { clientPaths, endpoint, JsonText } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { parseRoomEventFilter, type RoomEventFilter } from '../../matrix/filters/event-filter.ts';
import { InvalidFilter } from '../../matrix/filters/json-shape.ts';
import { fields } from '../fields.ts';
import type { Indexer } from '../indexer.ts';
import { beginning, formatSearchPlace, parseSearchPlace, type SearchPlace } from '../place.ts';
import { search, type Found, type SearchNeeds } from '../search.ts';
import { contextJson, groupsOf, statesJson, surroundingsOf, writerFor } from '../write-results.ts';

export interface SearchEndpointNeeds extends SearchNeeds {
  indexer: Indexer;
  /** [enable_search] */
  isEnabled: boolean;
}

const limitDefault = 10;
const limitMax = 100;
const contextDefault = 5;
const contextMax = 50;

const count = Type.Integer({ minimum: 0 });
const roomEvents = Type.Object({
  search_term: Type.String(),
  keys: Type.Optional(Type.Array(Type.String())),
  filter: Type.Optional(Type.Record(Type.String(), Type.Any())),
  order_by: Type.Optional(Type.Union([Type.Literal('recent'), Type.Literal('rank')])),
  event_context: Type.Optional(
    Type.Object({
      before_limit: Type.Optional(count),
      after_limit: Type.Optional(count),
      include_profile: Type.Optional(Type.Boolean()),
    }),
  ),
  include_state: Type.Optional(Type.Boolean()),
  groupings: Type.Optional(
    Type.Object({
      group_by: Type.Optional(Type.Array(Type.Object({ key: Type.Optional(Type.String()) }))),
    }),
  ),
});
type RoomEvents = Static<typeof roomEvents>;

function filterOf(json: unknown): RoomEventFilter {
  try {
    return parseRoomEventFilter(json);
  } catch (error) {
    if (error instanceof InvalidFilter) throw new MatrixError('M_INVALID_PARAM', error.message);
    throw error;
  }
}

function keysOf(keys: readonly string[] | undefined): readonly string[] {
  if (!keys) return fields.map(({ key }) => key);
  const unknown = keys.find((key) => !fields.some((one) => one.key === key));
  if (unknown !== undefined) throw new MatrixError('M_INVALID_PARAM', `No key ${unknown}`);
  return keys;
}

function groupKeysOf({ groupings }: RoomEvents): ('room_id' | 'sender')[] {
  return (groupings?.group_by ?? []).map(({ key }) => {
    if (key === 'room_id' || key === 'sender') return key;
    throw new MatrixError('M_INVALID_PARAM', `Results cannot be grouped by ${key}`);
  });
}

/** Where to go on; null when there is nothing more. */
function nextOf(found: Found, place: SearchPlace, limit: number): SearchPlace | null {
  if (found.last === null || found.read < limit) return null;
  return {
    ...place,
    before: { pos: found.last.pos!, sub: found.last.sub },
    offset: place.offset + found.read,
  };
}

export const searchEndpoint = endpoint<SearchEndpointNeeds>()({
  operation: 'search',
  method: 'POST',
  paths: clientPaths('/search'),
  auth: 'user',
  runsOn: { group: 'client', balance: 'user' },
  summary: 'Searches in messages, room names and topics',
  source: 'CS 1.19, search',
  query: Type.Object({ next_batch: Type.Optional(Type.String()) }),
  body: Type.Object({
    search_categories: Type.Object({ room_events: Type.Optional(roomEvents) }),
  }),
  errors: ['M_INVALID_PARAM', 'M_UNKNOWN'],
  async handle({ query, body, requester }, needs) {
    const wish = body.search_categories.room_events;
    if (!needs.isEnabled) {
      throw new MatrixError('M_UNKNOWN', 'Search is disabled on this homeserver');
    }
    if (!wish) return { search_categories: {} };
    const filter = filterOf(wish.filter ?? {});
    const limit = Math.min(Math.max(filter.limit ?? limitDefault, 1), limitMax);
    const place = query.next_batch ? parseSearchPlace(query.next_batch) : beginning;
    const groupKeys = groupKeysOf(wish);
    const keys = keysOf(wish.keys);
    const { rooms, not_rooms: notRooms } = (wish.filter ?? {}) as Record<string, string[]>;
    await needs.indexer.catchUp();
    const found = await search(needs, requester, {
      term: wish.search_term,
      keys,
      filter,
      rooms: rooms ?? null,
      notRooms: notRooms ?? [],
      orderBy: wish.order_by ?? 'rank',
      limit,
      place,
    });
    const next = nextOf(found, place, limit);
    const write = await writerFor(needs.rooms, requester, found);
    const results = await resultsJson(needs, found, wish, write);
    let text = `{"count":${found.count},"highlights":${JSON.stringify(found.highlights)},"results":[${results}]`;
    if (wish.include_state) text += `,"state":{${await statesJson(needs.store, found, write)}}`;
    if (groupKeys.length > 0) {
      const groups = groupKeys.map((key) => [key, groupsOf(found, key, next)] as const);
      text += `,"groups":${JSON.stringify(Object.fromEntries(groups))}`;
    }
    if (next) text += `,"next_batch":"${formatSearchPlace(next)}"`;
    return new JsonText(`{"search_categories":{"room_events":${text}}}}`);
  },
});

async function resultsJson(
  needs: SearchEndpointNeeds,
  found: Found,
  { event_context: context }: RoomEvents,
  write: Awaited<ReturnType<typeof writerFor>>,
): Promise<string> {
  const bounded = (limit: number | undefined) => Math.min(limit ?? contextDefault, contextMax);
  const around = context && {
    before: bounded(context.before_limit),
    after: bounded(context.after_limit),
    withProfiles: context.include_profile ?? false,
  };
  const surroundings = around ? await surroundingsOf(needs, found, around) : null;
  return found.events
    .map((event, nth) => {
      const shown = `{"rank":${event.rank},"result":${write(event)}`;
      if (!around || !surroundings) return `${shown}}`;
      const withProfiles = around.withProfiles;
      return `${shown},"context":${contextJson(event, nth, surroundings, write, withProfiles)}}`;
    })
    .join(',');
}
