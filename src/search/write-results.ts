import {
  clientEventJson,
  erasedAmongEvents,
  placeBefore,
  type RoomServices,
  type StoredEvent,
} from '../rooms/module.ts';
import { formatPlace } from '../streams/position.ts';
import { formatSearchPlace, type SearchPlace } from './place.ts';
import type { Found, SearchNeeds, Searcher } from './search.ts';
import type { FoundStore } from './store/found.ts';

/** What is shown around each result; null: nothing. */
export interface ContextWish {
  before: number;
  after: number;
  withProfiles: boolean;
}

interface Surroundings {
  before: Map<number, StoredEvent[]>;
  after: Map<number, StoredEvent[]>;
  /** Result → user id → profile. */
  profiles: Map<number, Record<string, unknown>>;
}

/** Events around each result, by its number from 0, as far as the user may see them. */
export async function surroundingsOf(
  { store, rooms }: Pick<SearchNeeds, 'store' | 'rooms'>,
  { events, visibilities }: Found,
  wish: ContextWish,
): Promise<Surroundings> {
  const [before, after] = await Promise.all([
    wish.before > 0 ? store.before(events, wish.before) : [],
    wish.after > 0 ? store.after(events, wish.after) : [],
  ]);
  const hidden = await erasedAmongEvents(rooms.erasedAmong, [...before, ...after], (event) =>
    visibilities.get(event.roomNid)!.membershipAt(event),
  );
  const visible = (event: (typeof before)[number]) =>
    visibilities.get(event.roomNid)!.allows(event) && !hidden.has(event);
  const byResult = (rows: typeof before) =>
    Map.groupBy(rows.filter(visible), (row) => row.nth - 1) as Map<number, StoredEvent[]>;
  const found = { before: byResult(before), after: byResult(after), profiles: new Map() };
  if (!wish.withProfiles) return found;
  const wanted = events.flatMap((event, nth) => {
    const shown = [event, ...(found.before.get(nth) ?? []), ...(found.after.get(nth) ?? [])];
    const senders = new Set(shown.map(({ sender }) => sender));
    return [...senders].map((userId) => ({
      nth,
      roomNid: event.roomNid,
      userId,
      pos: event.pos!,
    }));
  });
  for (const row of await store.profiles(wanted)) {
    const { nth } = wanted[row.nth - 1]!;
    const { displayname, avatar_url } = JSON.parse(row.content) as Record<string, unknown>;
    const profiles = found.profiles.get(nth) ?? {};
    profiles[row.userId] = { displayname, avatar_url };
    found.profiles.set(nth, profiles);
  }
  return found;
}

/** Writes events of the rooms of a search as JSON. */
export async function writerFor(
  rooms: RoomServices,
  searcher: Searcher,
  { events, roomIds, visibilities }: Found,
): Promise<(event: StoredEvent) => string> {
  const byRoom = Map.groupBy(events, (event): number => event.roomNid);
  const pages = [...byRoom].map(([roomNid, page]) => {
    const visibility = visibilities.get(roomNid)!;
    const seesAll = visibility.isWorldReadableNow || visibility.lastJoinedPos >= endless;
    return {
      roomNid,
      roomId: roomIds.get(roomNid)!,
      events: page,
      ...(seesAll ? {} : { uptoPos: visibility.lastJoinedPos }),
    };
  });
  const aggregations = await rooms.aggregations.of(pages, searcher);
  const now = rooms.clock.now();
  return (event) =>
    clientEventJson(event, {
      roomId: roomIds.get(event.roomNid)!,
      now,
      senderNid: searcher.userNid,
      deviceNid: searcher.deviceNid,
      membership: visibilities.get(event.roomNid)!.membershipAt(event),
      unsigned: aggregations.get(event.eventId) ?? '',
    });
}

/** A membership that has not ended holds up to here. */
const endless = Number.MAX_SAFE_INTEGER;

export function contextJson(
  event: StoredEvent,
  nth: number,
  around: Surroundings,
  write: (event: StoredEvent) => string,
  withProfiles: boolean,
): string {
  const before = around.before.get(nth) ?? [];
  const after = around.after.get(nth) ?? [];
  const start = placeBefore(before.at(-1) ?? event);
  const last = after.at(-1) ?? event;
  const end = { pos: last.pos!, sub: last.sub };
  const profiles = withProfiles
    ? `,"profile_info":${JSON.stringify(around.profiles.get(nth) ?? {})}`
    : '';
  return (
    `{"start":"${formatPlace(start)}","end":"${formatPlace(end)}",` +
    `"events_before":[${before.map(write).join(',')}],` +
    `"events_after":[${after.map(write).join(',')}]${profiles}}`
  );
}

/** The state of the rooms of the results as the user may see it: `"room id":[…]` each. */
export async function statesJson(
  store: FoundStore,
  { events, roomIds, visibilities }: Found,
  write: (event: StoredEvent) => string,
): Promise<string> {
  const nids = [...new Set(events.map((event) => event.roomNid))];
  const positions = nids.map((nid) => Math.min(visibilities.get(nid)!.lastJoinedPos + 1, endless));
  const states = Map.groupBy(await store.states(nids, positions), (event) => event.roomNid);
  return nids
    .map((nid) => {
      const state = (states.get(nid) ?? []).map(write).join(',');
      return `${JSON.stringify(roomIds.get(nid))}:[${state}]`;
    })
    .join(',');
}

/** Results by room or sender, with where to go on within each group. */
export function groupsOf(
  { events, roomIds }: Found,
  by: 'room_id' | 'sender',
  next: SearchPlace | null,
): Record<string, unknown> {
  const keyOf = (event: StoredEvent) =>
    by === 'sender' ? event.sender : roomIds.get(event.roomNid)!;
  const groups = [...Map.groupBy(events, keyOf)];
  return Object.fromEntries(
    groups.map(([value, members], order) => [
      value,
      {
        order,
        results: members.map((event) => event.eventId),
        ...(next
          ? { next_batch: formatSearchPlace({ ...placeIn(members, next), group: { by, value } }) }
          : {}),
      },
    ]),
  );
}

function placeIn(members: readonly StoredEvent[], next: SearchPlace): SearchPlace {
  const last = members.at(-1)!;
  return { ...next, before: { pos: last.pos!, sub: last.sub }, offset: members.length };
}
