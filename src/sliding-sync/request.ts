import { Type, type Static } from 'typebox';
import { MatrixError } from '../kernel/errors.ts';
import { RequiredState, requiredStateMax } from './required-state.ts';

const listsMax = 100;
const rangesMax = 20;
const subscriptionsMax = 1_000;
const timelineLimitMax = 100;

const roomWish = {
  required_state: Type.Optional(Type.Array(Type.Array(Type.String(), { minItems: 2 }))),
  timeline_limit: Type.Optional(Type.Integer({ minimum: 0 })),
};

const filters = Type.Object({
  is_dm: Type.Optional(Type.Boolean()),
  is_encrypted: Type.Optional(Type.Boolean()),
  is_invite: Type.Optional(Type.Boolean()),
  spaces: Type.Optional(Type.Array(Type.String())),
  room_types: Type.Optional(Type.Array(Type.Union([Type.String(), Type.Null()]))),
  not_room_types: Type.Optional(Type.Array(Type.Union([Type.String(), Type.Null()]))),
  tags: Type.Optional(Type.Array(Type.String())),
  not_tags: Type.Optional(Type.Array(Type.String())),
});

const extension = Type.Object({
  enabled: Type.Optional(Type.Boolean()),
  lists: Type.Optional(Type.Array(Type.String())),
  rooms: Type.Optional(Type.Array(Type.String())),
});

/** The body of a request (MSC4186). */
export const requestBody = Type.Object({
  conn_id: Type.Optional(Type.String({ maxLength: 64 })),
  lists: Type.Optional(
    Type.Record(
      Type.String(),
      Type.Object({
        ...roomWish,
        ranges: Type.Optional(Type.Array(Type.Array(Type.Integer({ minimum: 0 })))),
        slow_get_all_rooms: Type.Optional(Type.Boolean()),
        filters: Type.Optional(filters),
      }),
    ),
  ),
  room_subscriptions: Type.Optional(Type.Record(Type.String(), Type.Object(roomWish))),
  extensions: Type.Optional(
    Type.Object({
      to_device: Type.Optional(
        Type.Object({
          enabled: Type.Optional(Type.Boolean()),
          since: Type.Optional(Type.String()),
          limit: Type.Optional(Type.Integer({ minimum: 0 })),
        }),
      ),
      e2ee: Type.Optional(Type.Object({ enabled: Type.Optional(Type.Boolean()) })),
      account_data: Type.Optional(extension),
      receipts: Type.Optional(extension),
      typing: Type.Optional(extension),
      'org.matrix.msc4354.sticky_events': Type.Optional(
        Type.Object({
          enabled: Type.Optional(Type.Boolean()),
          limit: Type.Optional(Type.Integer({ minimum: 0 })),
          since: Type.Optional(Type.String()),
        }),
      ),
      'io.element.msc4308.thread_subscriptions': Type.Optional(
        Type.Object({
          enabled: Type.Optional(Type.Boolean()),
          limit: Type.Optional(Type.Integer({ minimum: 1 })),
        }),
      ),
    }),
  ),
});
export type RequestBody = Static<typeof requestBody>;
export type ListFilters = Static<typeof filters>;
export type ExtensionWish = Static<typeof extension>;
export type Extensions = NonNullable<RequestBody['extensions']>;

/** What a client wants of a room. */
export interface RoomWish {
  timelineLimit: number;
  requiredState: RequiredState;
}

export interface ListWish extends RoomWish {
  name: string;
  /** Inclusive at both ends; null: all rooms. */
  ranges: [first: number, last: number][] | null;
  filters: ListFilters;
}

export interface SlidingRequest {
  connId: string;
  lists: ListWish[];
  /** By room id. */
  subscriptions: Map<string, RoomWish>;
  extensions: Extensions;
}

const invalid = (message: string) => new MatrixError('M_INVALID_PARAM', message);

function roomWishOf(
  {
    required_state: pairs = [],
    timeline_limit: limit = 0,
  }: { required_state?: string[][]; timeline_limit?: number },
  userId: string,
): RoomWish {
  if (pairs.length > requiredStateMax) {
    throw invalid(`\`required_state\` may have ${requiredStateMax} entries at most`);
  }
  const requiredState = new RequiredState();
  for (const [type, stateKey] of pairs) requiredState.add(type!, stateKey!, userId);
  return { requiredState, timelineLimit: Math.min(limit, timelineLimitMax) };
}

function rangesOf(ranges: readonly number[][]): [number, number][] {
  if (ranges.length > rangesMax) throw invalid(`a list may have ${rangesMax} ranges at most`);
  return ranges.map(([first, last]) => {
    if (first === undefined || last === undefined || last < first) {
      throw invalid('a range is two numbers, the second no smaller than the first');
    }
    return [first, last];
  });
}

/** Throws M_INVALID_PARAM. */
export function parseRequest(body: RequestBody, userId: string): SlidingRequest {
  const lists = Object.entries(body.lists ?? {});
  const subscriptions = Object.entries(body.room_subscriptions ?? {});
  if (lists.length > listsMax) throw invalid(`at most ${listsMax} lists`);
  if (subscriptions.length > subscriptionsMax) {
    throw invalid(`at most ${subscriptionsMax} room_subscriptions`);
  }
  return {
    connId: body.conn_id ?? '',
    lists: lists.map(([name, list]) => ({
      name,
      ...roomWishOf(list, userId),
      ranges: list.slow_get_all_rooms ? null : rangesOf(list.ranges ?? []),
      filters: list.filters ?? {},
    })),
    subscriptions: new Map(
      subscriptions.map(([roomId, wish]) => [roomId, roomWishOf(wish, userId)] as const),
    ),
    extensions: body.extensions ?? {},
  };
}

/** What several lists and a subscription together want of one room. */
export function joinWishes(a: RoomWish, b: RoomWish): RoomWish {
  return {
    timelineLimit: Math.max(a.timelineLimit, b.timelineLimit),
    requiredState: a.requiredState.joinedWith(b.requiredState),
  };
}
