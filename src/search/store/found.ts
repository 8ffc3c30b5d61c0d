import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';
import {
  eventColumns,
  visibilityHistory,
  type HistoryRow,
  type PositionRange,
  type StoredEvent,
} from '../../rooms/module.ts';
import type { TimelinePlace } from '../../streams/position.ts';

/** Beyond it the number of results is no longer counted. */
const countMax = 10_000;
/** Rooms before an upgraded one that are looked at. */
const predecessorsMax = 20;
const now = '9223372036854775807';
const eventOf = (row: string) =>
  `join events e on e.room_nid = ${row}.room_nid and e.event_nid = ${row}.event_nid`;

/** `isOpen`: nothing that was ever said there is hidden from the user. */
const selectRooms = statement<
  [userNid: number],
  { roomNid: number; roomId: string; isOpen: boolean }
>(
  'search.rooms_of_user',
  `select m.room_nid as "roomNid", r.room_id as "roomId",
     m.membership = 'join' and not exists (
       select from room_state s ${eventOf('s')}
       where s.room_nid = m.room_nid and s.state_key = '' and s.type_nid =
           (select type_nid from event_types where event_type = 'm.room.history_visibility')
         and ${readableJson('e.content')} ->> 'history_visibility' in ('joined', 'invited')
     ) as "isOpen"
   from memberships m join rooms r on r.room_nid = m.room_nid
   where m.user_nid = $1 and m.membership in ('join', 'leave', 'ban') and not m.is_forgotten`,
);

const selectPredecessors = statement<[roomIds: string[]], { roomId: string }>(
  'search.predecessors',
  `with recursive before as (
     select room_id, 0 as step from unnest($1::text[]) as w(room_id)
     union
     select ${readableJson('e.content')} -> 'predecessor' ->> 'room_id', b.step + 1
     from before b join rooms r on r.room_id = b.room_id
       join room_state s on s.room_nid = r.room_nid and s.state_key = '' and s.to_pos = ${now}
         and s.type_nid = (select type_nid from event_types where event_type = 'm.room.create')
       ${eventOf('s')}
     where b.step < ${predecessorsMax} and e.content like '%"predecessor":%')
   select distinct room_id as "roomId" from before where room_id is not null`,
);

type Match = [
  query: string,
  roomNids: number[],
  fields: number[],
  senderNids: number[] | null,
  notSenderNids: number[],
  closedRoomNids: number[],
  readableRoomNids: number[],
  readableFromPos: number[],
  readableToPos: number[],
];
const matching = `s.words @@ $1::tsquery and s.room_nid = any($2) and s.field = any($3::smallint[])
  and ($4::bigint[] is null or s.sender_nid = any($4)) and not s.sender_nid = any($5)
  and e.redacted_by is null
  and (not s.room_nid = any($6::bigint[]) or exists (
    select from unnest($7::bigint[], $8::bigint[], $9::bigint[]) as v(room_nid, from_pos, to_pos)
    where v.room_nid = s.room_nid and v.from_pos <= s.pos and s.pos < v.to_pos))`;

/** An event that was found, and how well it fits. */
export type FoundRow = StoredEvent & { rank: number };

const selectRecent = statement<
  [...Match, rankBy: string, pos: number, sub: number, limit: number],
  FoundRow
>(
  'search.recent',
  `select ts_rank(f.words, $10::tsquery, 1)::float8 as rank, ${eventColumns} from (
     select s.* from searchable_events s ${eventOf('s')}
     where ${matching} and (s.pos, s.sub) < ($11::bigint, $12::int)
     order by s.pos desc, s.sub desc limit $13) f ${eventOf('f')}
   order by f.pos desc, f.sub desc`,
);

const selectRanked = statement<[...Match, rankBy: string, offset: number, limit: number], FoundRow>(
  'search.ranked',
  `select f.rank, ${eventColumns} from (
     select s.*, ts_rank(s.words, $10::tsquery, 1)::float8 as rank
     from searchable_events s ${eventOf('s')} where ${matching}
     order by rank desc, s.pos desc, s.sub desc offset $11 limit $12) f ${eventOf('f')}
   order by f.rank desc, f.pos desc, f.sub desc`,
);

const countFound = statement<Match, { total: number }>(
  'search.count',
  `select count(*)::int as total from (
     select from searchable_events s ${eventOf('s')} where ${matching} limit ${countMax}) f`,
);

const selectHistories = statement<[number[], string], HistoryRow & { roomNid: number }>(
  'search.visibility_histories',
  visibilityHistory('unnest($1::bigint[]) as w(room_nid)', '$2'),
);

type Places = [roomNids: number[], positions: number[], subs: number[], limit: number];
/** An event beside one that was found; `nth` says beside which. */
export type NeighbourRow = StoredEvent & { nth: number };

const selectNeighbours = (name: string, range: string, order: string) =>
  statement<Places, NeighbourRow>(
    name,
    `select w.nth::int, ${eventColumns}
     from unnest($1::bigint[], $2::bigint[], $3::int[])
       with ordinality as w(room_nid, pos, sub, nth)
     cross join lateral (
       select * from events e where e.room_nid = w.room_nid and e.status = 0 and ${range}
       order by ${order} limit $4) e
     order by w.nth, ${order}`,
  );
const selectBefore = selectNeighbours(
  'search.events_before',
  '(e.pos, e.sub) < (w.pos, w.sub)',
  'e.pos desc, e.sub desc',
);
const selectAfter = selectNeighbours(
  'search.events_after',
  '(e.pos, e.sub) > (w.pos, w.sub)',
  'e.pos, e.sub',
);

const selectProfiles = statement<
  [roomNids: number[], userIds: string[], positions: number[]],
  { nth: number; userId: string; content: string }
>(
  'search.profiles',
  `select w.nth::int, w.user_id as "userId", e.content
   from unnest($1::bigint[], $2::text[], $3::bigint[])
     with ordinality as w(room_nid, user_id, pos, nth)
   join room_state s on s.room_nid = w.room_nid and s.state_key = w.user_id
     and s.type_nid = (select type_nid from event_types where event_type = 'm.room.member')
     and s.from_pos <= w.pos and s.to_pos > w.pos
   ${eventOf('s')}`,
);

const selectStates = statement<[roomNids: number[], positions: number[]], StoredEvent>(
  'search.states',
  `select ${eventColumns} from unnest($1::bigint[], $2::bigint[]) as w(room_nid, pos)
   join room_state s on s.room_nid = w.room_nid and s.from_pos <= w.pos and s.to_pos > w.pos
   ${eventOf('s')}`,
);

/** What is searched for, and where. */
export interface Wanted {
  /** A tsquery, in its text form. */
  query: string;
  /** The tsquery that says how well an event fits. */
  rankBy: string;
  roomNids: number[];
  fields: number[];
  senderNids: number[] | null;
  notSenderNids: number[];
  /** Rooms of which not everything is to be seen, by number: where it is. */
  readable: ReadonlyMap<number, readonly PositionRange[]>;
}

/** Reads for a search; `database` gives events with their names. */
export function createFoundStore(database: Queryable) {
  function matchOf(wanted: Wanted): Match {
    const ranges = [...wanted.readable].flatMap(([roomNid, ofRoom]) =>
      ofRoom.map((range) => ({ ...range, roomNid })),
    );
    return [
      wanted.query,
      wanted.roomNids,
      wanted.fields,
      wanted.senderNids,
      wanted.notSenderNids,
      [...wanted.readable.keys()],
      ranges.map(({ roomNid }) => roomNid),
      ranges.map(({ fromPos }) => fromPos),
      ranges.map(({ toPos }) => toPos),
    ];
  }
  const neighbours =
    (select: typeof selectBefore) => (events: readonly StoredEvent[], limit: number) =>
      database.query(select, [
        events.map((event) => event.roomNid),
        events.map((event) => event.pos!),
        events.map((event) => event.sub),
        limit,
      ]);
  return {
    /** Rooms that the user is in, or was. */
    rooms: (userNid: number) => database.query(selectRooms, [userNid]),
    /** The rooms and those that they replace. */
    async withPredecessors(roomIds: string[]): Promise<string[]> {
      return (await database.query(selectPredecessors, [roomIds])).map((row) => row.roomId);
    },
    recent: (wanted: Wanted, before: TimelinePlace, limit: number) =>
      database.query(selectRecent, [
        ...matchOf(wanted),
        wanted.rankBy,
        before.pos,
        before.sub,
        limit,
      ]),
    ranked: (wanted: Wanted, offset: number, limit: number) =>
      database.query(selectRanked, [...matchOf(wanted), wanted.rankBy, offset, limit]),
    async count(wanted: Wanted): Promise<number> {
      return (await database.query(countFound, matchOf(wanted)))[0]!.total;
    },
    histories: (roomNids: number[], userId: string) =>
      database.query(selectHistories, [roomNids, userId]),
    /** Nearest first. */
    before: neighbours(selectBefore),
    after: neighbours(selectAfter),
    /** Member events of users at positions; `nth` counts from 1. */
    profiles: (wanted: readonly { roomNid: number; userId: string; pos: number }[]) =>
      database.query(selectProfiles, [
        wanted.map((one) => one.roomNid),
        wanted.map((one) => one.userId),
        wanted.map((one) => one.pos),
      ]),
    states: (roomNids: number[], positions: number[]) =>
      database.query(selectStates, [roomNids, positions]),
  };
}

export type FoundStore = ReturnType<typeof createFoundStore>;
