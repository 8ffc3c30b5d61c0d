import type { RoomEventFilter } from '../matrix/filters/event-filter.ts';
import {
  contentOf,
  erasedAmongEvents,
  visibilityFor,
  withoutExpired,
  withoutSenders,
  type HistoryRow,
  type PositionRange,
  type RoomServices,
  type StoredEvent,
  type Visibility,
} from '../rooms/module.ts';
import { fields } from './fields.ts';
import type { SearchPlace } from './place.ts';
import { queryOf } from './search-text.ts';
import type { FoundRow, FoundStore, Wanted } from './store/found.ts';

/** Who searches. */
export interface Searcher {
  userId: string;
  userNid: number;
  deviceNid: number | null;
}

export interface SearchWish {
  term: string;
  /** Of `fields`. */
  keys: readonly string[];
  filter: RoomEventFilter;
  /** The rooms that the filter names; null: all. */
  rooms: readonly string[] | null;
  notRooms: readonly string[];
  orderBy: 'recent' | 'rank';
  limit: number;
  place: SearchPlace;
}

/** The results of a page, and what is needed to show them. */
export interface Found {
  events: FoundRow[];
  count: number;
  highlights: string[];
  /** How many were read, seen or not. */
  read: number;
  /** The last that was read, seen or not. */
  last: StoredEvent | null;
  roomIds: ReadonlyMap<number, string>;
  visibilities: ReadonlyMap<number, Visibility>;
}

export interface SearchNeeds {
  store: FoundStore;
  rooms: RoomServices;
  ignoredUsers(userNid: number): Promise<ReadonlySet<string>> | ReadonlySet<string>;
}

const nothing: Found = {
  events: [],
  count: 0,
  highlights: [],
  read: 0,
  last: null,
  roomIds: new Map(),
  visibilities: new Map(),
};

/** The rooms to be searched. */
async function roomsFor({ store }: SearchNeeds, searcher: Searcher, wish: SearchWish) {
  const [own, named] = await Promise.all([
    store.rooms(searcher.userNid),
    wish.rooms === null ? null : store.withPredecessors([...wish.rooms]),
  ]);
  const wanted = named && new Set(named);
  const { group } = wish.place;
  const only = group?.by === 'room_id' ? group.value : null;
  const fitting = own.filter(
    ({ roomId }) =>
      (wanted ? wanted.has(roomId) : wish.filter.admitsRoom(roomId)) &&
      !wish.notRooms.includes(roomId) &&
      (only === null || only === roomId),
  );
  return fitting;
}

/** Where the user may read, in rooms of which something is hidden. */
async function readableIn(
  needs: SearchNeeds,
  rooms: readonly { roomNid: number; isOpen: boolean }[],
  userId: string,
): Promise<Map<number, PositionRange[]>> {
  const closed = rooms.filter(({ isOpen }) => !isOpen).map(({ roomNid }) => roomNid);
  const visibilities = await visibilitiesOf(needs, closed, userId, new Set());
  return new Map([...visibilities].map(([nid, visibility]) => [nid, visibility.readable()]));
}

async function nidsOf({ rooms }: SearchNeeds, userIds: Iterable<string>): Promise<number[]> {
  const nids = await Promise.all([...userIds].map(async (id) => rooms.interned.find(id)));
  return nids.filter((nid) => nid !== null);
}

async function sendersFor(needs: SearchNeeds, wish: SearchWish): Promise<number[] | null> {
  const { senders } = wish.filter.criteria;
  const { group } = wish.place;
  if (group?.by === 'sender') return nidsOf(needs, [group.value]);
  return senders === null ? null : nidsOf(needs, senders);
}

/** What the user may and wants to see of rooms, by room number. */
async function visibilitiesOf(
  { store, rooms }: SearchNeeds,
  roomNids: readonly number[],
  userId: string,
  ignored: ReadonlySet<string>,
): Promise<Map<number, Visibility>> {
  if (roomNids.length === 0) return new Map();
  const [rows, since] = await Promise.all([
    store.histories([...roomNids], userId),
    rooms.retention.shownSince(roomNids),
  ]);
  const byRoom = Map.groupBy(rows, (row): number => row.roomNid);
  const none: HistoryRow[] = [];
  return new Map(
    roomNids.map((nid) => {
      const visibility = visibilityFor(userId, byRoom.get(nid) ?? none);
      return [nid, withoutExpired(withoutSenders(visibility, ignored), since.get(nid))] as const;
    }),
  );
}

/** One page of a search, as far as the user may see it. */
export async function search(
  needs: SearchNeeds,
  searcher: Searcher,
  wish: SearchWish,
): Promise<Found> {
  const { store } = needs;
  const { filter, place, limit } = wish;
  const [searched, senderNids, ignored] = await Promise.all([
    roomsFor(needs, searcher, wish),
    sendersFor(needs, wish),
    needs.ignoredUsers(searcher.userNid),
  ]);
  const roomIds = new Map(searched.map(({ roomNid, roomId }) => [roomNid, roomId]));
  const query = queryOf(wish.term, [...roomIds.keys()]);
  if (!query) return nothing;
  const shown = fields.filter(({ key }) => wish.keys.includes(key));
  const wanted: Wanted = {
    query: query.wordsInRooms,
    rankBy: query.words,
    roomNids: [...roomIds.keys()],
    fields: shown.map(({ field }) => field),
    senderNids,
    notSenderNids: await nidsOf(needs, [...ignored, ...(filter.criteria.notSenders ?? [])]),
    // What is hidden is not counted either, or it could be guessed word by word.
    readable: await readableIn(needs, searched, searcher.userId),
  };
  const [rows, count] = await Promise.all([
    wish.orderBy === 'recent'
      ? store.recent(wanted, place.before, limit)
      : store.ranked(wanted, place.offset, limit),
    store.count(wanted),
  ]);
  const roomNids = [...new Set(rows.map((row) => row.roomNid))];
  const visibilities = await visibilitiesOf(needs, roomNids, searcher.userId, ignored);
  const hidden = await erasedAmongEvents(needs.rooms.erasedAmong, rows, (event) =>
    visibilities.get(event.roomNid)!.membershipAt(event),
  );
  const events = rows.filter(
    (event) =>
      visibilities.get(event.roomNid)!.allows(event) &&
      !hidden.has(event) &&
      filter.admits(event.type, event.sender, () => contentOf(event)),
  );
  const { highlights } = query;
  const last = rows.at(-1) ?? null;
  return { events, count, highlights, read: rows.length, last, roomIds, visibilities };
}
