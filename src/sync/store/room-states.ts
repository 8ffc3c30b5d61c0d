import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';
import { eventColumns, type StoredEvent } from '../../rooms/module.ts';

const entryJoin = `join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid`;
const member = `member as (
  select coalesce((select type_nid from event_types where event_type = 'm.room.member'), 0) as nid)`;
/** State that began in (after_pos, at_pos] and holds at at_pos. */
const inRange = `s.room_nid = w.room_nid and s.from_pos > w.after_pos
  and s.from_pos <= w.at_pos and s.to_pos > w.at_pos`;

const selectStates = statement<[number[], number[], number[]], StoredEvent>(
  'sync_states',
  `select ${eventColumns}
   from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as w(room_nid, at_pos, after_pos)
   join room_state s on ${inRange} ${entryJoin}`,
);

const selectStatesLazily = statement<
  [number[], number[], number[], boolean[], number[], string[], number[]],
  StoredEvent
>(
  'sync_states_lazily',
  `with ${member}
   select ${eventColumns}
   from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::boolean[])
     as w(room_nid, at_pos, after_pos, skips_members)
   join room_state s on ${inRange}
     and not (w.skips_members and s.type_nid = (select nid from member)) ${entryJoin}
   union all
   select ${eventColumns}
   from unnest($5::bigint[], $6::text[], $7::bigint[]) as m(room_nid, user_id, at_pos)
   join room_state s on s.room_nid = m.room_nid and s.type_nid = (select nid from member)
     and s.state_key = m.user_id and s.from_pos <= m.at_pos and s.to_pos > m.at_pos ${entryJoin}`,
);

const strippedTypes = `('m.room.create', 'm.room.join_rules', 'm.room.canonical_alias',
  'm.room.avatar', 'm.room.name', 'm.room.encryption', 'm.room.topic')`;

const selectStripped = statement<[number[], number[], string, number], StoredEvent>(
  'sync_stripped_states',
  `with ${member}
   select ${eventColumns}
   from unnest($1::bigint[], $2::bigint[]) as w(room_nid, at_pos)
   join event_types st on st.event_type in ${strippedTypes}
   join room_state s on s.room_nid = w.room_nid and s.type_nid = st.type_nid
     and s.state_key = '' and s.from_pos <= w.at_pos and s.to_pos > w.at_pos ${entryJoin}
   union all
   select ${eventColumns}
   from unnest($1::bigint[], $2::bigint[]) as w(room_nid, at_pos)
   join memberships o on o.user_nid = $4 and o.room_nid = w.room_nid
   join users sender on sender.user_nid = o.sender_nid
   join room_state s on s.room_nid = w.room_nid and s.type_nid = (select nid from member)
     and s.state_key in ($3, sender.user_id) and s.from_pos <= w.at_pos and s.to_pos > w.at_pos
   ${entryJoin}
   union all
   select ${eventColumns}
   from unnest($1::bigint[], $2::bigint[]) as w(room_nid, at_pos)
   join events e on e.room_nid = w.room_nid and e.event_nid = w.at_pos`,
);

export interface SummaryRow {
  roomNid: number;
  joinedCount: number;
  invitedCount: number;
  heroes: string[] | null;
}

/** The users to name a room after: those there or invited, else those who were, in order. */
const heroesMax = 5;

const selectSummaries = statement<[number[], number], SummaryRow>(
  'sync_summaries',
  `select r.room_nid as "roomNid", r.joined_count as "joinedCount",
     r.invited_count as "invitedCount",
     case when exists (
       select from event_types t
         join room_state s on s.room_nid = r.room_nid and s.type_nid = t.type_nid
           and s.state_key = '' and s.to_pos = 9223372036854775807
         join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
         where t.event_type in ('m.room.name', 'm.room.canonical_alias')
           and coalesce(${readableJson('e.content')} ->> 'name', ${readableJson('e.content')} ->> 'alias', '') <> '')
     then null else array(
       select u.user_id from (
         select m.user_nid, m.membership in ('join', 'invite') as is_there, m.pos
         from memberships m
         where m.room_nid = r.room_nid and m.user_nid <> $2 and m.membership <> 'knock'
         order by m.membership in ('join', 'invite') desc, m.pos limit ${heroesMax}) h
       join users u on u.user_nid = h.user_nid
       where h.is_there or r.joined_count + r.invited_count <= 1
       order by h.pos) end as heroes
   from rooms r where r.room_nid = any($1)`,
);

/** Members whose presence is looked at when a user enters rooms. */
const membersMax = 1_000;

const selectMemberNids = statement<[number[]], { userNid: number }>(
  'sync_member_nids',
  `select user_nid as "userNid" from memberships
   where room_nid = any($1) and membership = 'join' limit ${membersMax}`,
);

export interface StateWanted {
  roomNid: number;
  /** The state that held at this position. */
  atPos: number;
  /** Only entries that began after it; -1 for all. */
  afterPos: number;
  /** Of members only those wanted apart, where they are loaded lazily. */
  skipsMembers: boolean;
}

export interface MemberWanted {
  roomNid: number;
  userId: string;
  atPos: number;
}

/** Room state for sync: a constant number of round trips, whatever the number of rooms. */
export function createRoomStateStore(database: Queryable) {
  const list = <T, K extends keyof T>(rows: readonly T[], key: K) => rows.map((row) => row[key]);
  return {
    states: (wanted: readonly StateWanted[]) =>
      database.query(selectStates, [
        list(wanted, 'roomNid'),
        list(wanted, 'atPos'),
        list(wanted, 'afterPos'),
      ]),
    /** As `states`, and the members named, whenever they began; some may come twice. */
    statesLazily: (wanted: readonly StateWanted[], members: readonly MemberWanted[]) =>
      database.query(selectStatesLazily, [
        list(wanted, 'roomNid'),
        list(wanted, 'atPos'),
        list(wanted, 'afterPos'),
        list(wanted, 'skipsMembers'),
        list(members, 'roomNid'),
        list(members, 'userId'),
        list(members, 'atPos'),
      ]),
    /** What an invited or knocking user is shown: the room as it was then. */
    stripped: (
      rooms: readonly { roomNid: number; pos: number }[],
      user: { userNid: number; userId: string },
    ) =>
      database.query(selectStripped, [
        list(rooms, 'roomNid'),
        list(rooms, 'pos'),
        user.userId,
        user.userNid,
      ]),
    async memberNids(roomNids: number[]): Promise<number[]> {
      const rows = await database.query(selectMemberNids, [roomNids]);
      return rows.map((row) => row.userNid);
    },
    summaries: (roomNids: number[], userNid: number) =>
      database.query(selectSummaries, [roomNids, userNid]),
  };
}

export type RoomStateStore = ReturnType<typeof createRoomStateStore>;
