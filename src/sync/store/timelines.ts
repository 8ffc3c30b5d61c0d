import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import {
  eventColumns,
  matchCondition,
  matchParameters,
  nameJoins,
  type Envelope,
  visibilityHistory,
  type HistoryRow,
  type MatchParameters,
  type StoredEvent,
  type TimelineMatch,
} from '../../rooms/module.ts';

export interface MembershipRow {
  roomNid: number;
  roomId: string;
  roomVersion: string;
  membership: string;
  /** Stream position of the membership event. */
  pos: number;
  /** The number of whoever set the membership. */
  senderNid: number;
  isForgotten: boolean;
}

const selectMemberships = statement<[number], MembershipRow>(
  'sync_memberships',
  `select m.room_nid as "roomNid", r.room_id as "roomId", r.room_version as "roomVersion",
     m.membership, m.pos, m.sender_nid as "senderNid", m.is_forgotten as "isForgotten"
   from memberships m join rooms r on r.room_nid = m.room_nid
   where m.user_nid = $1`,
);

const wanted = `unnest($1::bigint[], $2::bigint[], $3::bigint[]) as w(room_nid, after_pos, upto_pos)`;
const inRange = `e.room_nid = w.room_nid and e.pos > w.after_pos and e.pos <= w.upto_pos
  and e.status = 0`;

const selectTimelines = statement<[number[], number[], number[], number], StoredEvent>(
  'sync_timelines',
  `select ${eventColumns} from ${wanted}
   cross join lateral (
     select * from events e where ${inRange} order by e.pos desc, e.sub desc limit $4) e
   order by e.room_nid, e.pos, e.sub`,
);

const selectMatching = statement<
  [number[], number[], number[], number, ...MatchParameters],
  StoredEvent
>(
  'sync_timelines_matching',
  `select m.* from ${wanted}
   cross join lateral (
     select ${eventColumns} from events e ${nameJoins}
     where ${inRange} ${matchCondition(5)}
     order by e.pos desc, e.sub desc limit $4) m
   order by m."roomNid", m.pos, m.sub`,
);

const selectHistories = statement<[number[], string], HistoryRow & { roomNid: number }>(
  'sync_visibility_histories',
  visibilityHistory('unnest($1::bigint[]) as w(room_nid)', '$2'),
);

const selectEnvelopes = statement<[number[], number[]], Envelope & { eventId: string }>(
  'sync_event_envelopes',
  `select e.event_id as "eventId", e.envelope, e.content_at as "contentAt"
   from unnest($1::bigint[], $2::bigint[]) as w(room_nid, event_nid)
     join events e on e.room_nid = w.room_nid and e.event_nid = w.event_nid`,
);

export interface TimelineWanted {
  roomNid: number;
  /** Exclusive. */
  afterPos: number;
  /** Inclusive. */
  uptoPos: number;
}

/** Memberships and timelines for sync: a round trip for all rooms. */
export function createTimelineStore(database: Queryable) {
  const list = <T, K extends keyof T>(rows: readonly T[], key: K) => rows.map((row) => row[key]);
  return {
    memberships: (userNid: number) => database.query(selectMemberships, [userNid]),
    /** The newest `limit` events of each range, oldest first. */
    timelines(ranges: readonly TimelineWanted[], limit: number, match: TimelineMatch | null) {
      const rooms = list(ranges, 'roomNid');
      const after = list(ranges, 'afterPos');
      const upto = list(ranges, 'uptoPos');
      if (!match) return database.query(selectTimelines, [rooms, after, upto, limit]);
      return database.query(selectMatching, [rooms, after, upto, limit, ...matchParameters(match)]);
    },
    /** What of the events' PDUs is not in a StoredEvent. */
    envelopes: (events: readonly StoredEvent[]) =>
      database.query(selectEnvelopes, [list(events, 'roomNid'), list(events, 'eventNid')]),
    /** History visibility and the user's membership in each room, and when they held. */
    histories: (roomNids: number[], userId: string) =>
      database.query(selectHistories, [roomNids, userId]),
  };
}

export type TimelineStore = ReturnType<typeof createTimelineStore>;
