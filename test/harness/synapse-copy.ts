import type pg from 'pg';
import { joinPdu } from '../../src/matrix/event-builder.ts';
import type { SynapseDatabase, SynapseValue } from './synapse-database.ts';

type Row = Record<string, SynapseValue>;

const eventsInOrder = `
  select e.event_id, r.room_id, t.event_type as type, e.state_key, e.pos, e.depth, e.envelope,
    e.content, e.content_at, e.origin_server_ts, e.unsigned
  from events e join rooms r on r.room_nid = e.room_nid
    join event_types t on t.type_nid = e.type_nid
  where e.pos is not null order by e.pos, e.sub`;

/** `stream_ordering` of an event; rooms begin where nobody would expect it. */
const firstOrdering = 1_000_000;

/** Writes events as Synapse has them: each with a state group that has what it changes. */
async function copyEvents(sql: pg.Client, synapse: SynapseDatabase): Promise<void> {
  const { rows } = await sql.query(eventsInOrder);
  const groupOf = new Map<string, number>();
  const tables: Record<string, Row[]> = {
    events: [],
    event_json: [],
    event_to_state_groups: [],
    state_group_edges: [],
    state_groups_state: [],
  };
  for (const [i, row] of rows.entries()) {
    const { event_id: id, room_id: roomId, type, state_key: key } = row;
    const pdu = joinPdu(row.envelope, row.content_at, row.content);
    const before = groupOf.get(roomId);
    const group = i + 1;
    groupOf.set(roomId, group);
    tables['events']!.push({
      event_id: id,
      room_id: roomId,
      stream_ordering: firstOrdering + i,
      topological_ordering: Number(row.depth),
      origin_server_ts: Number(row.origin_server_ts),
      outlier: false,
      rejection_reason: null,
    });
    const unsigned = row.unsigned === null ? {} : JSON.parse(`{${row.unsigned}}`);
    const json = JSON.stringify({ ...JSON.parse(pdu), unsigned });
    tables['event_json']!.push({ event_id: id, room_id: roomId, internal_metadata: '{}', json });
    tables['event_to_state_groups']!.push({ event_id: id, state_group: group });
    if (before) {
      tables['state_group_edges']!.push({ state_group: group, prev_state_group: before });
    }
    if (key !== null) {
      const entry = { state_group: group, type, state_key: key, event_id: id };
      tables['state_groups_state']!.push(entry);
    }
  }
  // oxlint-disable-next-line no-await-in-loop
  for (const [name, all] of Object.entries(tables)) await synapse.insert(name, all);
}

/** What can be copied as it is: the table, and how to read its rows from ours. */
const copies: readonly [table: string, query: string][] = [
  [
    'users',
    `select u.user_id as name, a.password_hash, a.created_ts / 1000 as creation_ts,
       a.is_admin::int as admin, a.is_guest::int as is_guest, a.is_deactivated::int as deactivated,
       a.is_shadow_banned as shadow_banned, a.is_locked as locked, a.is_suspended as suspended
     from accounts a join users u using (user_nid)`,
  ],
  [
    'profiles',
    `select u.user_id as full_user_id,
       max(case when field = 'displayname' then value::json #>> '{}' end) as displayname
     from profile_fields join users u using (user_nid) group by 1`,
  ],
  [
    'devices',
    `select u.user_id, d.device_id, d.display_name, d.last_seen_ts as last_seen, false as hidden
     from devices d join users u using (user_nid)`,
  ],
  ['rooms', 'select room_id, is_public, room_version from rooms'],
  [
    'current_state_events',
    `select r.room_id, e.event_id from room_state s join rooms r using (room_nid)
       join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
     where s.to_pos = 9223372036854775807`,
  ],
  [
    'local_current_membership',
    `select r.room_id, u.user_id, e.event_id, m.membership from memberships m
       join rooms r using (room_nid) join users u on u.user_nid = m.user_nid
       join events e on e.room_nid = m.room_nid and e.event_nid = m.event_nid where m.is_local`,
  ],
  [
    'room_memberships',
    `select r.room_id, u.user_id, e.event_id, m.is_forgotten::int as forgotten from memberships m
       join rooms r using (room_nid) join users u on u.user_nid = m.user_nid
       join events e on e.room_nid = m.room_nid and e.event_nid = m.event_nid`,
  ],
  [
    'room_aliases',
    `select a.alias as room_alias, r.room_id, u.user_id as creator from room_aliases a
       join rooms r using (room_nid) join users u on u.user_nid = a.creator_nid`,
  ],
  [
    'account_data',
    `select u.user_id, a.type as account_data_type, a.content from account_data a
       join users u using (user_nid) where a.room_nid = 0 and a.type <> 'm.push_rules'`,
  ],
  [
    'receipts_linearized',
    `select row_number() over () as stream_id, r.room_id, c.receipt_type, u.user_id, c.event_id,
       json_build_object('ts', c.ts)::text as data, nullif(c.thread_id, '') as thread_id
     from receipts c join rooms r using (room_nid) join users u on u.user_nid = c.user_nid`,
  ],
  [
    'e2e_device_keys_json',
    `select u.user_id, d.device_id, k.keys as key_json from device_keys k
       join devices d using (user_nid, device_nid) join users u using (user_nid)`,
  ],
];

/** Writes what a server of ours has into the database of a Synapse. */
export async function copyToSynapse(sql: pg.Client, synapse: SynapseDatabase): Promise<void> {
  await copyEvents(sql, synapse);
  for (const [table, query] of copies) {
    // oxlint-disable-next-line no-await-in-loop
    const { rows } = await sql.query(query);
    // oxlint-disable-next-line no-await-in-loop
    await synapse.insert(table, rows as Row[]);
  }
}
