import { statement } from '../../database/statement.ts';
import { endless } from './columns.ts';
import { withoutRelations } from './relations.ts';

/** An event as it is received. */
export interface EventColumns {
  roomNid: number;
  eventId: string;
  typeNid: number;
  stateKey: string | null;
  senderNid: number;
  originServerTs: number;
  depth: number;
  content: string;
  envelope: string;
  contentAt: number;
  unsigned: string | null;
  redacts: string | null;
}

/** An event that continues a room, on its way into the database. */
export interface NewEventColumns extends EventColumns {
  deviceNid: number | null;
  txnId: string | null;
  /** Where the transaction id counts; null for events without one. */
  txnScope: string | null;
  /** Set for membership events. */
  membership: string | null;
  memberNid: number | null;
  memberIsLocal: boolean | null;
  joinedDelta: number;
  invitedDelta: number;
}

const lists = (columns: readonly string[]) =>
  columns.map((type, i) => `$${i + 1}::${type}[]`).join(', ');

const eventTypesOfColumns = [
  'bigint',
  'text',
  'int',
  'text',
  'bigint',
  'bigint',
  'bigint',
  'text',
  'text',
  'int',
  'text',
  'text',
  'bigint',
  'text',
  'text',
] as const;
const stateTypesOfColumns = ['text', 'bigint', 'bool', 'int', 'int'] as const;

const eventNames = `room_nid, event_id, type_nid, state_key, sender_nid, origin_server_ts, depth,
  content, envelope, content_at, unsigned, redacts, device_nid, txn_id, txn_scope`;
const stateNames = 'membership, member_nid, member_is_local, joined_delta, invited_delta';

const storeEvents = `
  stored as (
    insert into events (room_nid, event_nid, pos, event_id, type_nid, state_key, sender_nid,
        origin_server_ts, depth, content, envelope, content_at, unsigned, redacts, device_nid,
        txn_id)
      select room_nid, pos, pos, event_id, type_nid, state_key, sender_nid, origin_server_ts,
        depth, content, envelope, content_at, unsigned, redacts, device_nid, txn_id
      from input),
  transactions as (
    insert into sent_transactions (user_nid, device_nid, scope, txn_id, event_id, created_ts)
      select sender_nid, coalesce(device_nid, 0), txn_scope, txn_id, event_id, origin_server_ts
      from input where txn_scope is not null)`;

/** Rows come back in the order of the input. */
export interface AppendedRow {
  pos: number;
}

/** Appends events that are no state: nothing else changes. */
export const appendMessages = statement<unknown[], AppendedRow>(
  'append_messages',
  `with input as materialized (
    select nextval('stream_position') as pos, i.* from (
      select * from unnest(${lists(eventTypesOfColumns)})
        with ordinality as i(${eventNames}, nth) order by nth) i),
  ${storeEvents}
  select pos from input order by nth`,
);

/** Appends any events, and moves the room's current state, its members and their counts. */
export const appendEvents = statement<unknown[], AppendedRow>(
  'append_events',
  `with input as materialized (
    select nextval('stream_position') as pos, i.* from (
      select * from unnest(${lists([...eventTypesOfColumns, ...stateTypesOfColumns])})
        with ordinality as i(${eventNames}, ${stateNames}, nth) order by nth) i),
  ${storeEvents},
  changed as (
    select *, lead(pos, 1, ${endless}) over entry as next_pos, row_number() over entry as place
      from input where state_key is not null
      window entry as (partition by room_nid, type_nid, state_key order by pos)),
  closed as (
    update room_state s set to_pos = c.pos from changed c
      where c.place = 1 and s.room_nid = c.room_nid and s.type_nid = c.type_nid
        and s.state_key = c.state_key and s.to_pos = ${endless}),
  opened as (
    insert into room_state (room_nid, type_nid, state_key, event_nid, from_pos, to_pos)
      select room_nid, type_nid, state_key, pos, pos, next_pos from changed),
  member_rows as (
    insert into memberships (user_nid, room_nid, membership, event_nid, pos, sender_nid, is_local)
      select distinct on (member_nid, room_nid)
        member_nid, room_nid, membership, pos, pos, sender_nid, member_is_local
        from input where membership is not null order by member_nid, room_nid, pos desc
      on conflict (user_nid, room_nid) do update set
        membership = excluded.membership, event_nid = excluded.event_nid, pos = excluded.pos,
        sender_nid = excluded.sender_nid, is_forgotten = false),
  counts as (
    update rooms r set joined_count = r.joined_count + d.joined,
        invited_count = r.invited_count + d.invited
      from (select room_nid, sum(joined_delta) as joined, sum(invited_delta) as invited
        from input group by room_nid) d
      where r.room_nid = d.room_nid and (d.joined <> 0 or d.invited <> 0))
  select pos from input order by nth`,
);

/** The parameters of either statement: a list for each column. */
export function appendParameters(events: readonly NewEventColumns[], withState: boolean) {
  const list = <K extends keyof NewEventColumns>(key: K) => events.map((event) => event[key]);
  const columns: unknown[] = [
    list('roomNid'),
    list('eventId'),
    list('typeNid'),
    list('stateKey'),
    list('senderNid'),
    list('originServerTs'),
    list('depth'),
    list('content'),
    list('envelope'),
    list('contentAt'),
    list('unsigned'),
    list('redacts'),
    list('deviceNid'),
    list('txnId'),
    list('txnScope'),
  ];
  if (withState) {
    columns.push(
      list('membership'),
      list('memberNid'),
      list('memberIsLocal'),
      list('joinedDelta'),
      list('invitedDelta'),
    );
  }
  return columns;
}

/** Adds a room, and its alias if it has one; its first events follow in the same transaction. */
export const insertRoom = statement<
  [number, string, string, number, boolean, string | null, number],
  never
>(
  'insert_room',
  `with alias as (
    insert into room_aliases (alias, room_nid, creator_nid)
      select $6, $1, $7::bigint where $6::text is not null)
  insert into rooms (room_nid, room_id, room_version, created_ts, is_public)
    overriding system value values ($1::bigint, $2, $3, $4, $5)`,
);

/** Numbers for rooms that are about to be made. */
export const reserveRoomNids = statement<[number], { nid: number }>(
  'reserve_room_nids',
  `select nextval(pg_get_serial_sequence('rooms', 'room_nid')) as nid
    from generate_series(1, $1::int)`,
);

/**
 * Empties a redacted event, so that it relates to nothing, also where the event that took its place in
 * the state tells what was before. Only the first redaction has an effect.
 */
export const redactEvent = statement<
  [number, string, string, string, number, string, string | null],
  never
>(
  'redact_event',
  `with target as (
    select room_nid, type_nid, state_key, content from events
      where room_nid = $1 and event_id = $2 and redacted_by is null and state_key is not null),
  followers as (
    update events f set unsigned =
        replace(f.unsigned, '"prev_content":' || t.content, '"prev_content":' || $3)
      from target t join room_state s on s.room_nid = t.room_nid and s.type_nid = t.type_nid
        and s.state_key = t.state_key
      where f.room_nid = s.room_nid and f.event_nid = s.event_nid
        and strpos(f.unsigned, '"replaces_state":' || to_json($2::text)::text) > 0),
  facts as (
    delete from room_facts f using target t where f.room_nid = t.room_nid),
  emptied as (
    update events set content = $3, envelope = $4, content_at = $5, redacted_by = $6, unsigned = $7
      where room_nid = $1 and event_id = $2 and redacted_by is null
      returning room_nid, event_nid),
  ${withoutRelations}`,
);
