import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { endless } from './columns.ts';
import type { EventColumns } from './append-events.ts';

/** An entry of a state, as a room takes it over from another server. */
export interface StateEntryRow {
  eventId: string;
  eventNid: number;
  typeNid: number;
  type: string;
  stateKey: string;
  senderNid: number;
  /** Of member events; null for others. */
  membership: string | null;
  /** Of member events whose user has a number. */
  memberNid: number | null;
}

const ensureRoom = statement<
  [roomId: string, version: string, nowTs: number],
  { roomNid: number; roomVersion: string }
>(
  'ensure_room',
  `with added as (
     insert into rooms (room_id, room_version, created_ts, is_blocked)
       select $1, $2, $3, exists (select from blocked_rooms where room_id = $1)
       where not exists (select from rooms where room_id = $1)
       on conflict (room_id) do update set room_id = excluded.room_id
       returning room_nid, room_version)
   select room_nid as "roomNid", room_version as "roomVersion" from added
   union all
   select room_nid, room_version from rooms where room_id = $1 limit 1`,
);

// What an invite says of the version of a room that nobody here has been in is hearsay.
const correctVersion = statement<[roomNid: number, version: string], { roomNid: number }>(
  'correct_room_version',
  `update rooms r set room_version = $2 where r.room_nid = $1
     and not exists (select from room_state s where s.room_nid = r.room_nid)
   returning r.room_nid as "roomNid"`,
);

const insertOutliers = statement<unknown[], never>(
  'insert_outliers',
  `insert into events (room_nid, event_nid, event_id, type_nid, state_key, sender_nid,
       origin_server_ts, depth, content, envelope, content_at, redacts, status)
     select $1::bigint, nextval('stream_position'), i.*
     from unnest($2::text[], $3::int[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
       $8::text[], $9::text[], $10::int[], $11::text[], $12::int[])
       as i(event_id, type_nid, state_key, sender_nid, origin_server_ts, depth, content, envelope,
         content_at, redacts, status)
     order by i.event_id
     on conflict (event_id, room_nid) do nothing`,
);

const entryColumns = `
  e.event_id as "eventId", e.event_nid as "eventNid", e.type_nid as "typeNid",
  t.event_type as type, e.state_key as "stateKey", e.sender_nid as "senderNid",
  case when t.event_type = 'm.room.member' then coalesce(e.content::json ->> 'membership', 'leave')
    end as membership,
  u.user_nid as "memberNid"`;
const entryNames = `
  join event_types t on t.type_nid = e.type_nid
  left join users u on t.event_type = 'm.room.member' and u.user_id = e.state_key`;

const selectEntries = statement<[number, string[]], StateEntryRow>(
  'select_state_entries_by_id',
  `select ${entryColumns} from events e ${entryNames}
   where e.room_nid = $1 and e.event_id = any($2) and e.state_key is not null`,
);

const selectCurrent = statement<[number], StateEntryRow>(
  'select_current_state_entries',
  `select ${entryColumns} from room_state s
     join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid ${entryNames}
   where s.room_nid = $1 and s.to_pos = ${endless}`,
);

/**
 * Member events that were told out of the room's timeline, while this server was not in it, leave
 * their places: where they belong is known from the events around them.
 */
export const unplaceStrays = statement<[roomNid: number], never>(
  'unplace_stray_events',
  `update events e set pos = null
   where e.room_nid = $1 and e.pos is not null and e.state_key is not null and e.base_pos is null
     and e.status = 0
     and not exists (select from room_state s
       where s.room_nid = e.room_nid and s.event_nid = e.event_nid)`,
);

const selectMembership = statement<[roomNid: number, userId: string], { membership: string }>(
  'select_membership_of',
  `select m.membership from users u
     join memberships m on m.user_nid = u.user_nid and m.room_nid = $1
   where u.user_id = $2`,
);

/** An event without a place in the timeline. */
export interface Outlier extends Omit<EventColumns, 'roomNid' | 'unsigned'> {
  /** It was rejected: it may not be part of a state. */
  isRejected: boolean;
}

/** Rows in one statement. */
const rowsMax = 1_000;

/** Events that are known without their place: of rooms that this server is about to enter. */
export function createOutlierStore(database: Queryable) {
  return {
    /** The room's number and version; the room is made when it is not known yet. */
    async ensureRoom(roomId: string, version: string, nowTs: number) {
      return (await database.query(ensureRoom, [roomId, version, nowTs]))[0]!;
    },
    /** Sets the version of a room that this server has never been in; false: it has been. */
    async correctVersion(roomNid: number, version: string): Promise<boolean> {
      return (await database.query(correctVersion, [roomNid, version])).length > 0;
    },
    /** Those that are known already stay as they are. */
    async insert(roomNid: number, outliers: readonly Outlier[]): Promise<void> {
      for (let at = 0; at < outliers.length; at += rowsMax) {
        const some = outliers.slice(at, at + rowsMax);
        // oxlint-disable-next-line no-await-in-loop -- bounds the size of a statement
        await database.query(insertOutliers, [
          roomNid,
          some.map(({ eventId }) => eventId),
          some.map(({ typeNid }) => typeNid),
          some.map(({ stateKey }) => stateKey),
          some.map(({ senderNid }) => senderNid),
          some.map(({ originServerTs }) => originServerTs),
          some.map(({ depth }) => depth),
          some.map(({ content }) => content),
          some.map(({ envelope }) => envelope),
          some.map(({ contentAt }) => contentAt),
          some.map(({ redacts }) => redacts),
          some.map(({ isRejected }) => (isRejected ? 2 : 0)),
        ]);
      }
    },
    entries: (roomNid: number, eventIds: readonly string[]) =>
      database.query(selectEntries, [roomNid, [...eventIds]]),
    currentEntries: (roomNid: number) => database.query(selectCurrent, [roomNid]),
    /** `leave` for who never was a member. */
    async membershipOf(roomNid: number, userId: string): Promise<string> {
      const [row] = await database.query(selectMembership, [roomNid, userId]);
      return row?.membership ?? 'leave';
    },
  };
}

export type OutlierStore = ReturnType<typeof createOutlierStore>;
