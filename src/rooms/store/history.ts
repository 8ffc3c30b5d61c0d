import type { BatchItem, Database } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { TimelinePlace } from '../../streams/position.ts';

/** A place in a room's timeline before which events are missing. */
export interface HistoryGap extends TimelinePlace {
  /** Of the stretch of fetched history that ends here. */
  topSub: number;
  /** The event that the missing ones come before. */
  eventId: string;
  depth: number;
  missing: string[];
}

const gapColumns = `
  s.pos, s.bottom_sub as sub, s.top_sub as "topSub", s.missing_ids as missing,
  b.event_id as "eventId", b.depth`;
const bottom = 'join events b on b.room_nid = s.room_nid and b.event_nid = s.bottom_nid';
const open = 's.room_nid = $1 and cardinality(s.missing_ids) > 0';

const selectAround = statement<[roomNid: number, pos: number, sub: number], HistoryGap>(
  'select_history_gap_around',
  `select * from (
     select ${gapColumns} from history_stretches s ${bottom}
     where ${open} and (s.pos, s.bottom_sub) > ($2::bigint, $3::int)
     order by s.pos, s.bottom_sub limit 1) g
   where not exists (select from events e where e.room_nid = $1 and e.status = 0
     and (e.pos, e.sub) > ($2::bigint, $3::int) and (e.pos, e.sub) < (g.pos, g.sub))`,
);

const selectBelow = statement<
  [roomNid: number, pos: number, sub: number, afterPos: number],
  HistoryGap
>(
  'select_history_gap_below',
  `select ${gapColumns} from history_stretches s ${bottom}
   where ${open} and (s.pos, s.bottom_sub) <= ($2::bigint, $3::int) and s.pos > $4::bigint
   order by s.pos desc, s.bottom_sub desc limit 1`,
);

const selectOpen = statement<[roomNid: number], HistoryGap>(
  'select_history_gaps',
  `select ${gapColumns} from history_stretches s ${bottom}
   where ${open} order by s.pos, s.bottom_sub limit 1000`,
);

const selectPlaced = statement<[roomNid: number, eventIds: string[]], { eventId: string }>(
  'select_placed_event_ids',
  `select event_id as "eventId" from events
   where room_nid = $1 and event_id = any($2) and (pos is not null or base_pos is not null)`,
);

const insertStretch = statement<[roomNid: number, eventId: string, missing: string[]], never>(
  'insert_history_stretch',
  `insert into history_stretches
       (room_nid, pos, top_sub, top_nid, bottom_sub, bottom_nid, missing_ids)
     select room_nid, pos, sub, event_nid, sub, event_nid, $3::text[] from events
       where room_nid = $1 and event_id = $2 and pos is not null`,
);

/** Notes that events before one are missing; for the transaction that stores it, after it. */
export const stretchItem = (
  roomNid: number,
  eventId: string,
  missing: readonly string[],
): BatchItem => ({ statement: insertStretch as never, params: [roomNid, eventId, [...missing]] });

// What follows in the same transaction sees what whoever had the lock before has done.
const lockRoom = statement<[roomNid: number], never>(
  'lock_room_history',
  `select from rooms where room_nid = $1 for update`,
);

const unplaced = `
  wanted as (
    select e.event_nid, row_number() over (order by w.nth desc)::int as step
      from unnest($4::text[]) with ordinality as w(id, nth)
      join events e on e.room_nid = $1 and e.event_id = w.id and e.pos is null
        and e.base_pos is null and e.status = 0)`;

type PutParameters = [
  roomNid: number,
  pos: number,
  sub: number,
  eventIds: string[],
  missing: string[],
];

// The state before these events is not known but for what is noted of it; see `differences`.
const fillGap = statement<PutParameters, { placed: number }>(
  'fill_history_gap',
  `with gap as (
     select s.* from history_stretches s
       where s.room_nid = $1 and s.pos = $2 and s.bottom_sub = $3 and cardinality(s.missing_ids) > 0),
   ${unplaced},
   placed as (
     update events e set pos = g.pos, sub = g.bottom_sub - w.step, base_pos = g.pos,
         has_gap = cardinality($5::text[]) > 0 and w.step = (select max(step) from wanted)
       from gap g, wanted w where e.room_nid = $1 and e.event_nid = w.event_nid
       returning e.event_nid, e.sub),
   lowest as (select event_nid, sub from placed order by sub limit 1),
   moved as (
     update history_stretches s set missing_ids = $5,
         bottom_sub = coalesce((select sub from lowest), s.bottom_sub),
         bottom_nid = coalesce((select event_nid from lowest), s.bottom_nid)
       from gap g where s.room_nid = g.room_nid and s.pos = g.pos and s.top_sub = g.top_sub),
   left_behind as (
     update events e set has_gap = false from gap g
       where e.room_nid = $1 and e.event_nid = g.bottom_nid
         and (cardinality($5::text[]) = 0 or exists (select from lowest)))
   select count(*)::int as placed from placed`,
);

/** How far below its gap a new stretch begins, when there is room; what is between comes there. */
const stretchDistance = 10_000_000;
/** The lowest place that a token can name. */
const lowestSub = -999_999_999;
/** Fewer free places than this are not divided. */
const roomMin = 4_000;

const startStretch = statement<PutParameters, { placed: number }>(
  'start_history_stretch',
  `with gap as (
     select s.pos, s.bottom_sub, coalesce((
         select max(e.sub) from events e
           where e.room_nid = $1 and e.pos = s.pos and e.sub < s.bottom_sub), ${lowestSub}) as floor
       from history_stretches s
       where s.room_nid = $1 and s.pos = $2 and s.bottom_sub = $3 and cardinality(s.missing_ids) > 0),
   start as (
     select pos, bottom_sub - least((bottom_sub - floor) / 2, ${stretchDistance}) as sub
       from gap where bottom_sub - floor >= ${roomMin}),
   ${unplaced},
   placed as (
     update events e set pos = s.pos, sub = s.sub - w.step, base_pos = s.pos,
         has_gap = cardinality($5::text[]) > 0 and w.step = (select max(step) from wanted)
       from start s, wanted w where e.room_nid = $1 and e.event_nid = w.event_nid
       returning e.room_nid, e.pos, e.event_nid, e.sub),
   top as (select * from placed order by sub desc limit 1),
   lowest as (select * from placed order by sub limit 1),
   added as (
     insert into history_stretches
         (room_nid, pos, top_sub, top_nid, bottom_sub, bottom_nid, missing_ids)
       select t.room_nid, t.pos, t.sub, t.event_nid, l.sub, l.event_nid, $5 from top t, lowest l)
   select count(*)::int as placed from placed`,
);

/** An entry of the state before an event; `entryId` null: there was none. */
export interface KnownBefore {
  eventId: string;
  type: string;
  stateKey: string;
  entryId: string | null;
}

const insertDifferences = statement<
  [number, string[], string[], string[], (string | null)[]],
  never
>(
  'insert_history_differences',
  `insert into event_state_differences (room_nid, event_nid, type_nid, state_key, entry_nid)
     select e.room_nid, e.event_nid, t.type_nid, d.state_key, b.event_nid
       from unnest($2::text[], $3::text[], $4::text[], $5::text[])
           as d(event_id, type, state_key, entry_id)
         join event_types t on t.event_type = d.type
         join events e on e.room_nid = $1 and e.event_id = d.event_id and e.sub < 0
         left join events b on b.room_nid = $1 and b.event_id = d.entry_id
       where d.entry_id is null or b.event_nid is not null
     on conflict do nothing`,
);

const selectLocalEntries = statement<
  [number, string[], string],
  { eventId: string; type: string; stateKey: string; content: string; depth: number }
>(
  'select_entries_for_visibility',
  `select e.event_id as "eventId", t.event_type as type, e.state_key as "stateKey", e.content,
     e.depth
   from events e join event_types t on t.type_nid = e.type_nid
   where e.room_nid = $1 and e.event_id = any($2) and e.status <> 2
     and (t.event_type = 'm.room.history_visibility' and e.state_key = ''
       or t.event_type = 'm.room.member'
         and substr(e.state_key, strpos(e.state_key, ':') + 1) = $3)`,
);

/** Events with their places in what was fetched, oldest first, and what is missing before them. */
export interface FetchedHistory {
  eventIds: readonly string[];
  missing: readonly string[];
  before: readonly KnownBefore[];
  /** What the events refer to is to be noted; see `relationsItem`. */
  relations: BatchItem | null;
}

/** What is known of a room's history, and where it is incomplete. */
export function createHistoryStore(database: Database) {
  const put = (
    where: typeof fillGap | typeof startStretch,
    roomNid: number,
    gap: TimelinePlace,
    fetched: FetchedHistory,
  ) =>
    database.transaction(async (tx) => {
      const { eventIds, missing, before, relations } = fetched;
      await tx.query(lockRoom, [roomNid]);
      const [row] = await tx.query(where, [roomNid, gap.pos, gap.sub, [...eventIds], [...missing]]);
      if (!row || row.placed === 0) return 0;
      if (before.length > 0) {
        await tx.query(insertDifferences, [
          roomNid,
          before.map(({ eventId }) => eventId),
          before.map(({ type }) => type),
          before.map(({ stateKey }) => stateKey),
          before.map(({ entryId }) => entryId),
        ]);
      }
      if (relations) await tx.query(relations.statement as never, relations.params as never);
      return row.placed;
    });

  return {
    /** The gap that a place is in: nothing is known between it and the event above. */
    async gapAt(roomNid: number, { pos, sub }: TimelinePlace): Promise<HistoryGap | null> {
      return (await database.query(selectAround, [roomNid, pos, sub]))[0] ?? null;
    },
    /** The next gap below a place, at a position after `afterPos`. */
    async gapBelow(roomNid: number, { pos, sub }: TimelinePlace, afterPos: number) {
      return (await database.query(selectBelow, [roomNid, pos, sub, afterPos]))[0] ?? null;
    },
    /** All gaps of a room, the lowest first. */
    gaps: (roomNid: number) => database.query(selectOpen, [roomNid]),
    /** Those of the events that have a place in the room, or were refused one. */
    async placedAmong(roomNid: number, eventIds: readonly string[]): Promise<Set<string>> {
      const rows = await database.query(selectPlaced, [roomNid, [...eventIds]]);
      return new Set(rows.map(({ eventId }) => eventId));
    },
    /** Those of the events that decide what users of a server may see. */
    visibilityEntries: (roomNid: number, eventIds: readonly string[], serverName: string) =>
      database.query(selectLocalEntries, [roomNid, [...eventIds], serverName]),
    /**
     * Gives outliers their places just below a gap, which moves down with them. Gives how many; none
     * when it has moved meanwhile.
     */
    fill: (roomNid: number, gap: TimelinePlace, fetched: FetchedHistory) =>
      put(fillGap, roomNid, gap, fetched),
    /** Gives outliers their places further below, as a stretch of its own. Gives how many. */
    start: (roomNid: number, gap: TimelinePlace, fetched: FetchedHistory) =>
      put(startStretch, roomNid, gap, fetched),
  };
}

export type HistoryStore = ReturnType<typeof createHistoryStore>;
