import type { RoomOfUser } from '../sync/module.ts';
import type { RoomLabels } from './labels.ts';
import { joinWishes, type ListFilters, type RoomWish, type SlidingRequest } from './request.ts';
import type { RoomFacts } from './room-facts.ts';

/** A room of a user with what is known of it. */
export interface ListedRoom {
  room: RoomOfUser;
  facts: RoomFacts;
}

/** Where a room stands: its newest event that counts, or the invite. */
export const bumpStampOf = ({ room, facts }: ListedRoom) =>
  room.membership === 'join' && facts.bumpPos > 0 ? facts.bumpPos : room.pos;

export interface FilterContext {
  /** Only asked for when a filter needs it. */
  labels: RoomLabels | null;
  /** Ids of the rooms in the spaces of a filter. */
  childrenOf: ReadonlyMap<ListFilters, ReadonlySet<string>>;
}

export const needsLabels = (filters: ListFilters) =>
  filters.is_dm !== undefined || filters.tags !== undefined || filters.not_tags !== undefined;

const hasTag = (labels: RoomLabels | null, tags: readonly string[], roomNid: number) =>
  tags.some((tag) => labels?.tags.get(tag)?.has(roomNid) ?? false);

function fits({ room, facts }: ListedRoom, filters: ListFilters, context: FilterContext): boolean {
  const { labels, childrenOf } = context;
  const isStripped = room.membership !== 'join';
  if (filters.is_invite !== undefined && (room.membership === 'invite') !== filters.is_invite) {
    return false;
  }
  if (filters.is_dm !== undefined && labels!.direct.has(room.roomId) !== filters.is_dm)
    return false;
  if (filters.is_encrypted !== undefined && facts.isEncrypted !== filters.is_encrypted)
    return false;
  if (filters.room_types && !filters.room_types.includes(facts.roomType)) return false;
  if (
    filters.not_room_types?.includes(facts.roomType) &&
    !(isStripped && facts.roomType === null)
  ) {
    return false;
  }
  if (filters.tags && !hasTag(labels, filters.tags, room.roomNid)) return false;
  if (filters.not_tags && hasTag(labels, filters.not_tags, room.roomNid)) return false;
  return !filters.spaces || childrenOf.get(filters)!.has(room.roomId);
}

export interface ListAnswer {
  name: string;
  count: number;
  ops: { range: [number, number]; rooms: RoomOfUser[] }[];
}

/** The rooms of an answer: those in view by lists and subscriptions. */
export interface RoomsInView {
  lists: ListAnswer[];
  /** By room number. */
  wishes: Map<number, RoomWish>;
  /** Numbers of the rooms subscribed to. */
  subscribed: Set<number>;
}

/** `rooms`: all that may be listed, newest first. */
export function roomsInView(
  rooms: readonly ListedRoom[],
  request: SlidingRequest,
  context: FilterContext,
): RoomsInView {
  const wishes = new Map<number, RoomWish>();
  const subscribed = new Set<number>();
  const want = (roomNid: number, wish: RoomWish) => {
    const known = wishes.get(roomNid);
    wishes.set(roomNid, known && known !== wish ? joinWishes(known, wish) : wish);
  };
  const lists = request.lists.map((list): ListAnswer => {
    const isAny = Object.keys(list.filters).length === 0;
    const fitting = isAny ? rooms : rooms.filter((one) => fits(one, list.filters, context));
    const ranges = list.ranges ?? [[0, Math.max(fitting.length - 1, 0)] as [number, number]];
    const ops = ranges.map((range) => {
      const shown = fitting.slice(range[0], range[1] + 1).map(({ room }) => room);
      for (const { roomNid } of shown) want(roomNid, list);
      return { range, rooms: shown };
    });
    return { name: list.name, count: fitting.length, ops };
  });
  if (request.subscriptions.size > 0) {
    for (const { room } of rooms) {
      const wish = request.subscriptions.get(room.roomId);
      if (!wish) continue;
      want(room.roomNid, wish);
      subscribed.add(room.roomNid);
    }
  }
  return { lists, wishes, subscribed };
}

export function listsJson(lists: readonly ListAnswer[]): string {
  const answers = lists.map(({ name, count, ops }) => {
    const shown = ops.map(
      ({ range, rooms }) =>
        `{"op":"SYNC","range":[${range.join(',')}],"room_ids":${JSON.stringify(rooms.map((room) => room.roomId))}}`,
    );
    return `${JSON.stringify(name)}:{"count":${count},"ops":[${shown.join(',')}]}`;
  });
  return `{${answers.join(',')}}`;
}
