import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** The first event of what is known of a room's timeline. */
export interface EarliestEvent {
  eventId: string;
  type: string;
  pos: number;
  sub: number;
}

const selectEarliest = statement<[roomNid: number], EarliestEvent>(
  'select_earliest_event',
  `select e.event_id as "eventId", t.event_type as type, e.pos, e.sub
   from events e join event_types t on t.type_nid = e.type_nid
   where e.room_nid = $1 and e.pos is not null and e.status = 0
   order by e.pos, e.sub limit 1`,
);

// Two who ask for the same at once are told so by the first event, which is another by then. The state
// before these events is not known; what counts is that of the position.
const placeBefore = statement<
  [roomNid: number, earliestId: string, eventIds: string[]],
  { placed: number }
>(
  'place_history',
  `with room as materialized (
     select room_nid from rooms where room_nid = $1 for update),
   earliest as (
     select e.event_id, e.pos, e.sub from events e join room on room.room_nid = e.room_nid
       where e.pos is not null and e.status = 0 order by e.pos, e.sub limit 1),
   wanted as (
     select id, row_number() over (order by nth desc) as step
       from unnest($3::text[]) with ordinality as w(id, nth)
       join events e on e.room_nid = $1 and e.event_id = w.id and e.pos is null and e.status = 0),
   placed as (
     update events e set pos = f.pos, sub = f.sub - w.step, base_pos = f.pos
       from wanted w, earliest f
       where e.room_nid = $1 and e.event_id = w.id and f.event_id = $2
       returning 1)
   select count(*)::int as placed from placed`,
);

/** The beginning of a room's timeline, as far as it is known here. */
export function createHistoryStore(database: Queryable) {
  return {
    async earliest(roomNid: number): Promise<EarliestEvent | null> {
      return (await database.query(selectEarliest, [roomNid]))[0] ?? null;
    },
    /**
     * Gives outliers their places before the earliest event, in their order. Gives how many; none when
     * that is no longer the earliest.
     */
    async place(roomNid: number, earliestId: string, eventIds: readonly string[]) {
      const [row] = await database.query(placeBefore, [roomNid, earliestId, [...eventIds]]);
      return row?.placed ?? 0;
    },
  };
}

export type HistoryStore = ReturnType<typeof createHistoryStore>;
