import type { BatchItem } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { endless } from './columns.ts';
import type { EventColumns } from './append-events.ts';

/** Stands for the number that the event itself will get. */
export const ownNid = -1;

/** An entry of a state that is, or becomes, another than that of the current state. */
export interface ChangedEntry {
  typeNid: number;
  stateKey: string;
  /** `ownNid`: the event itself; null: the entry is no more. */
  entryNid: number | null;
}

export interface ChangedMember {
  userNid: number;
  membership: string;
  entryNid: number;
  senderNid: number;
  isLocal: boolean;
}

/** A received event and all that changes with it. */
export interface ReceivedColumns {
  event: EventColumns;
  /** 0 accepted, 1 soft-failed, 2 rejected. */
  status: number;
  /** The redaction that came before it. */
  redactedBy: string | null;
  /** The state before it, as differences to `differsFrom`; null: the current state. */
  differences: readonly ChangedEntry[] | null;
  /** `own_position`: the state that the room has with the event. Default: the one just before. */
  differsFrom?: 'position_before' | 'own_position';
  /** Events that it follows and that are not known here. */
  missing: readonly string[];
  entries: readonly ChangedEntry[];
  members: readonly ChangedMember[];
  joinedDelta: number;
  invitedDelta: number;
}

// Nothing else is written to the room meanwhile, so the state just before the event's position is
// the current one. An entry that ends without another leaves a mark: a stretch of no length.
const receiveEvent = statement<unknown[], { pos: number }>(
  'receive_event',
  `with input as materialized (select nextval('stream_position') as pos),
   stored as (
     insert into events (room_nid, event_nid, pos, event_id, type_nid, state_key, sender_nid,
         origin_server_ts, depth, content, envelope, content_at, unsigned, redacts, status, base_pos,
         redacted_by, has_gap)
       select $1::bigint, pos, case when $13::int = 0 then pos end, $2::text, $3::int, $4::text,
         $5::bigint, $6::bigint, $7::bigint, $8::text, $9::text, $10::int, $11::text, $12::text,
         $13::int, case $14::text when 'position_before' then pos - 1 when 'own_position' then pos end,
         $28::text, $29::bool and $13::int = 0
       from input),
   differences as (
     insert into event_state_differences (room_nid, event_nid, type_nid, state_key, entry_nid)
       select $1::bigint, pos, d.type_nid, d.state_key, d.entry_nid
       from input, unnest($15::int[], $16::text[], $17::bigint[])
         as d(type_nid, state_key, entry_nid)),
   changed as materialized (
     select pos, c.type_nid, c.state_key,
       case c.entry_nid when ${ownNid} then pos else c.entry_nid end as entry_nid
       from input, unnest($18::int[], $19::text[], $20::bigint[])
         as c(type_nid, state_key, entry_nid)),
   closed as (
     update room_state s set to_pos = c.pos from changed c
       where s.room_nid = $1::bigint and s.type_nid = c.type_nid and s.state_key = c.state_key
         and s.to_pos = ${endless}),
   opened as (
     insert into room_state (room_nid, type_nid, state_key, event_nid, from_pos, to_pos)
       select $1::bigint, type_nid, state_key, coalesce(entry_nid, 0), pos,
         case when entry_nid is null then pos else ${endless} end
       from changed),
   member_rows as (
     insert into memberships (user_nid, room_nid, membership, event_nid, pos, sender_nid, is_local)
       select m.user_nid, $1::bigint, m.membership,
         case m.entry_nid when ${ownNid} then pos else m.entry_nid end, pos, m.sender_nid,
         m.is_local
       from input, unnest($21::bigint[], $22::text[], $23::bigint[], $24::bigint[], $25::bool[])
         as m(user_nid, membership, entry_nid, sender_nid, is_local)
       on conflict (user_nid, room_nid) do update set
         membership = excluded.membership, event_nid = excluded.event_nid, pos = excluded.pos,
         sender_nid = excluded.sender_nid, is_forgotten = false),
   counts as (
     update rooms set joined_count = joined_count + $26::int,
         invited_count = invited_count + $27::int
       where room_nid = $1::bigint and ($26::int <> 0 or $27::int <> 0))
   select pos from input`,
);

export function receiveItem(received: ReceivedColumns): BatchItem {
  const { event, status, differences, entries, members, joinedDelta, invitedDelta } = received;
  const apart = differences ?? [];
  const params = [
    event.roomNid,
    event.eventId,
    event.typeNid,
    event.stateKey,
    event.senderNid,
    event.originServerTs,
    event.depth,
    event.content,
    event.envelope,
    event.contentAt,
    event.unsigned,
    event.redacts,
    status,
    differences !== null || status !== 0 ? (received.differsFrom ?? 'position_before') : null,
    apart.map(({ typeNid }) => typeNid),
    apart.map(({ stateKey }) => stateKey),
    apart.map(({ entryNid }) => entryNid),
    entries.map(({ typeNid }) => typeNid),
    entries.map(({ stateKey }) => stateKey),
    entries.map(({ entryNid }) => entryNid),
    members.map(({ userNid }) => userNid),
    members.map(({ membership }) => membership),
    members.map(({ entryNid }) => entryNid),
    members.map(({ senderNid }) => senderNid),
    members.map(({ isLocal }) => isLocal),
    joinedDelta,
    invitedDelta,
    received.redactedBy,
    received.missing.length > 0,
  ];
  return { statement: receiveEvent as never, params };
}

const markExtremities = statement<[number, string[]], never>(
  'mark_extremities',
  `with wanted as materialized (
     select room_nid, event_nid from events where room_nid = $1 and event_id = any($2)),
   gone as (
     delete from room_extremities x where x.room_nid = $1
       and not exists (select from wanted w where w.event_nid = x.event_nid))
   insert into room_extremities (room_nid, event_nid) select room_nid, event_nid from wanted
     on conflict do nothing`,
);

/** Marks a room's forward extremities, and no others. */
export function extremitiesItem(roomNid: number, eventIds: readonly string[]): BatchItem {
  return { statement: markExtremities as never, params: [roomNid, [...eventIds]] };
}
