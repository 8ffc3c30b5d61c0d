import type { BatchItem, Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { stickyPart } from '../sticky.ts';
import type { StoredEvent } from '../stored-event.ts';
import { eventColumns } from './columns.ts';

type Params = [roomNids: number[], eventIds: string[], stickyMs: number[]];

/** Servers whose clocks run ahead cannot make an event stay for longer: it counts from now at most. */
const insertSticky = statement<Params, never>(
  'insert_sticky_events',
  `insert into sticky_events (room_nid, event_nid, pos, expires_ts)
     select e.room_nid, e.event_nid, e.pos, w.sticky_ms
         + least(e.origin_server_ts, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)
       from unnest($1::bigint[], $2::text[], $3::bigint[]) as w(room_nid, event_id, sticky_ms)
       join events e on e.event_id = w.event_id and e.room_nid = w.room_nid
       where e.pos is not null and e.status = 0
   on conflict do nothing`,
);

/** Notes sticky events, for the transaction that stores them, after them. Null: there are none. */
export function stickyItem(events: readonly StoredEvent[]): BatchItem | null {
  const params: Params = [[], [], []];
  for (const event of events) {
    const sticky = stickyPart(event);
    if (!sticky) continue;
    params[0].push(event.roomNid);
    params[1].push(event.eventId);
    params[2].push(sticky.stickyMs);
  }
  return params[0].length > 0 ? { statement: insertSticky as never, params } : null;
}

const selectSticky = statement<[number[], number[], number, number, number], StoredEvent>(
  'select_sticky_events',
  `select ${eventColumns} from unnest($1::bigint[], $2::bigint[]) as w(room_nid, after_pos)
     join sticky_events s on s.room_nid = w.room_nid and s.pos > w.after_pos and s.pos <= $3
       and s.expires_ts > $4
     join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
     where e.redacted_by is null
     order by s.pos limit $5`,
);

const deleteSticky = statement<[number], never>(
  'delete_sticky_events',
  'delete from sticky_events where expires_ts <= $1',
);

export interface StickyRange {
  roomNid: number;
  /** Exclusive. */
  afterPos: number;
}

/** `events` gives events with their names: `withEventNames`. */
export function createStickyEventStore(events: Queryable) {
  return {
    /** Those of rooms that have not expired, oldest first. */
    inRooms: (rooms: readonly StickyRange[], uptoPos: number, now: number, limit: number) =>
      events.query(selectSticky, [
        rooms.map(({ roomNid }) => roomNid),
        rooms.map(({ afterPos }) => afterPos),
        uptoPos,
        now,
        limit,
      ]),
    deleteExpired: (now: number) => events.query(deleteSticky, [now]),
  };
}

export type StickyEventStore = ReturnType<typeof createStickyEventStore>;
