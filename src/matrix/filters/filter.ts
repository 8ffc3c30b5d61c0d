import { eventFilterOf, idMatcher, roomEventFilterOf } from './event-filter.ts';
import type { EventFilter, RoomEventFilter } from './event-filter.ts';
import { membersOf } from './json-shape.ts';

/** Which rooms, and what of them, is wanted. Spec: `RoomFilter`. */
export interface RoomFilter {
  /** Every room is wanted. */
  readonly matchesAllRooms: boolean;
  readonly includeLeave: boolean;
  readonly state: RoomEventFilter;
  readonly timeline: RoomEventFilter;
  readonly ephemeral: RoomEventFilter;
  readonly accountData: RoomEventFilter;
  admitsRoom(roomId: string): boolean;
}

/** A compiled filter. Spec: client-server "Filtering". */
export interface Filter {
  /** The answer is the same as without a filter, but for limits and lazy loading. */
  readonly matchesAll: boolean;
  /** Dot-separated paths of the members that events are to have; null: all. */
  readonly eventFields: readonly string[] | null;
  readonly eventFormat: 'client' | 'federation';
  readonly presence: EventFilter;
  readonly accountData: EventFilter;
  readonly room: RoomFilter;
}

/** Compiles a filter of `/sync`. Throws InvalidFilter when a member has the wrong shape. */
export function parseFilter(json: unknown): Filter {
  const filter = membersOf(json, 'filter');
  const room = filter.object('room');
  const rooms = room.strings('rooms', { sigil: '!' });
  const notRooms = room.strings('not_rooms', { sigil: '!' });
  const section = (name: string) => {
    const members = room.object(name);
    const roomLists = [members.strings('rooms'), members.strings('not_rooms')];
    const hasRooms = roomLists.some((list) => list !== null);
    return { filter: roomEventFilterOf(members), hasRooms };
  };
  const [state, timeline, ephemeral, accountData] = [
    section('state'),
    section('timeline'),
    section('ephemeral'),
    section('account_data'),
  ];
  const eventFields = filter.strings('event_fields');
  const eventFormat = filter.choice('event_format', ['client', 'federation']) ?? 'client';
  const presence = eventFilterOf(filter.object('presence'));
  const globalData = eventFilterOf(filter.object('account_data'));
  const matchesAllRooms = rooms === null && (notRooms === null || notRooms.length === 0);
  const sections = [state, timeline, ephemeral, accountData];
  return {
    matchesAll:
      matchesAllRooms &&
      eventFields === null &&
      eventFormat === 'client' &&
      presence.matchesAll &&
      globalData.matchesAll &&
      sections.every((part) => !part.hasRooms && part.filter.matchesAll),
    eventFields,
    eventFormat,
    presence,
    accountData: globalData,
    room: {
      matchesAllRooms,
      includeLeave: room.boolean('include_leave') ?? false,
      state: state.filter,
      timeline: timeline.filter,
      ephemeral: ephemeral.filter,
      accountData: accountData.filter,
      admitsRoom: idMatcher(rooms, notRooms),
    },
  };
}

/** The filter that says nothing. */
export const emptyFilter: Filter = parseFilter({});
