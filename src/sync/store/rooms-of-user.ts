import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { eventColumns, eventJoins } from '../../rooms/module.ts';
import type { StoredEvent } from '../../rooms/module.ts';

export interface MembershipRow {
  roomNid: number;
  roomId: string;
  roomVersion: string;
  membership: string;
  /** Stream position of the membership event. */
  pos: number;
  eventNid: number;
  senderNid: number;
}

const selectMemberships = statement<[number], MembershipRow>(
  'sync_memberships',
  `select m.room_nid as "roomNid", r.room_id as "roomId", r.room_version as "roomVersion",
     m.membership, m.pos, m.event_nid as "eventNid", m.sender_nid as "senderNid"
   from memberships m join rooms r on r.room_nid = m.room_nid
   where m.user_nid = $1 and not m.is_forgotten`,
);

const selectTimelines = statement<[number[], number[], number[], number[]], StoredEvent>(
  'sync_timelines',
  `select ${eventColumns}
   from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::int[])
     as w(room_nid, after_pos, upto_pos, most)
   cross join lateral (
     select * from events e where e.room_nid = w.room_nid and e.pos > w.after_pos
       and e.pos <= w.upto_pos and e.status = 0
       order by e.pos desc, e.sub desc limit w.most) e ${eventJoins}
   order by e.room_nid, e.pos, e.sub`,
);

const selectStates = statement<[number[], number[], number[]], StoredEvent>(
  'sync_states',
  `select ${eventColumns}
   from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as w(room_nid, at_pos, after_pos)
   join room_state s on s.room_nid = w.room_nid and s.from_pos > w.after_pos
     and s.from_pos <= w.at_pos and s.to_pos > w.at_pos
   join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid ${eventJoins}`,
);

const selectStatesLazily = statement<[number[], number[], number[], number[], string[]], StoredEvent>(
  'sync_states_lazily',
  `with member as (
     select coalesce((select type_nid from event_types where event_type = 'm.room.member'), 0) as nid)
   select ${eventColumns}
   from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as w(room_nid, at_pos, after_pos)
   join room_state s on s.room_nid = w.room_nid and s.from_pos > w.after_pos
     and s.from_pos <= w.at_pos and s.to_pos > w.at_pos
     and s.type_nid <> (select nid from member)
   join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid ${eventJoins}
   union all
   select ${eventColumns}
   from unnest($1::bigint[], $2::bigint[]) as w(room_nid, at_pos)
   join unnest($4::bigint[], $5::text[]) as m(room_nid, user_id) on m.room_nid = w.room_nid
   join room_state s on s.room_nid = w.room_nid and s.type_nid = (select nid from member)
     and s.state_key = m.user_id and s.from_pos <= w.at_pos and s.to_pos > w.at_pos
   join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid ${eventJoins}`,
);

const selectActiveMembers = statement<[number[]], { roomNid: number; userNid: number }>(
  'sync_joined_local_members',
  `select room_nid as "roomNid", user_nid as "userNid" from memberships
   where room_nid = any($1) and membership = 'join' and is_local`,
);

const selectCounts = statement<
  [number[]],
  { roomNid: number; joinedCount: number; invitedCount: number }
>(
  'sync_member_counts',
  `select room_nid as "roomNid", joined_count as "joinedCount", invited_count as "invitedCount"
   from rooms where room_nid = any($1)`,
);

export interface StateWanted {
  roomNid: number;
  /** The state that held at this position. */
  atPos: number;
  /** Only entries that began after it; -1 for all. */
  afterPos: number;
}

export interface TimelineWanted {
  roomNid: number;
  /** Exclusive. */
  afterPos: number;
  /** Inclusive. */
  uptoPos: number;
  limit: number;
}

/** Reads for sync: a constant number of round trips, whatever the number of rooms. */
export function createSyncStore(database: Queryable) {
  const list = <T, K extends keyof T>(rows: readonly T[], key: K) => rows.map((row) => row[key]);
  return {
    memberships: (userNid: number) => database.query(selectMemberships, [userNid]),
    /** The newest events of each range, oldest first. */
    timelines: (wanted: readonly TimelineWanted[]) =>
      database.query(selectTimelines, [
        list(wanted, 'roomNid'),
        list(wanted, 'afterPos'),
        list(wanted, 'uptoPos'),
        list(wanted, 'limit'),
      ]),
    states: (wanted: readonly StateWanted[]) =>
      database.query(selectStates, [
        list(wanted, 'roomNid'),
        list(wanted, 'atPos'),
        list(wanted, 'afterPos'),
      ]),
    /** Of members only those named, whenever they began; of other state as `states`. */
    statesLazily: (
      wanted: readonly StateWanted[],
      members: readonly { roomNid: number; userId: string }[],
    ) =>
      database.query(selectStatesLazily, [
        list(wanted, 'roomNid'),
        list(wanted, 'atPos'),
        list(wanted, 'afterPos'),
        list(members, 'roomNid'),
        list(members, 'userId'),
      ]),
    joinedLocalMembers: (roomNids: number[]) => database.query(selectActiveMembers, [roomNids]),
    counts: (roomNids: number[]) => database.query(selectCounts, [roomNids]),
  };
}

export type SyncStore = ReturnType<typeof createSyncStore>;
