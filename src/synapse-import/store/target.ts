import type { Database } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** What is there before an import. */
interface TargetState {
  /** Neither accounts nor rooms. */
  isEmpty: boolean;
  /** A server has run with it, or an import has come to its end. */
  isInUse: boolean;
}

const selectState = statement<[], TargetState>(
  'synapse_import.state',
  `select not exists (select from accounts) and not exists (select from rooms) as "isEmpty",
     exists (select from federation_sender_positions) as "isInUse"`,
);

const raisePosition = statement<[pos: number], never>(
  'synapse_import.raise_position',
  `select setval('stream_position', greatest($1::bigint, last_value + 1)) from stream_position`,
);

const setPushRules = statement<[rows: string], { count: number }>(
  'synapse_import.push_rules',
  `with added as (
     insert into account_data (user_nid, room_nid, type, content, pos)
     select u.user_nid, 0, 'm.push_rules', r.content, nextval('stream_position')
     from json_to_recordset($1::json) as r(user_id text, content text)
       join users u on u.user_id = r.user_id
     on conflict do nothing returning 1)
   select count(*)::int as count from added`,
);

// They begin with what happens from now on.
const addPushers = statement<[rows: string], { count: number }>(
  'synapse_import.pushers',
  `with added as (
     insert into pushers (user_nid, shard, app_id, pushkey, kind, app_display_name,
       device_display_name, profile_tag, lang, data, token_nid, device_nid, created_ts, is_enabled,
       pos, start_pos)
     select u.user_nid, r.shard, r.app_id, r.pushkey, r.kind, r.app_display_name,
       r.device_display_name, nullif(r.profile_tag, ''), coalesce(r.lang, 'en'),
       coalesce(r.data, '{}'), r.access_token, d.device_nid, r.ts,
       coalesce(r.enabled, '1') in ('1', 't', 'true'), p.last_value, p.last_value
     from json_to_recordset($1::json) as r(user_name text, shard smallint, app_id text,
         pushkey text, kind text, app_display_name text, device_display_name text,
         profile_tag text, lang text, data text, access_token bigint, device_id text, ts bigint,
         enabled text)
       join users u on u.user_id = r.user_name
       left join devices d on d.user_nid = u.user_nid and d.device_id = r.device_id
       cross join stream_position p
     on conflict do nothing returning 1)
   select count(*)::int as count from added`,
);

// Other servers have it all; what happens from now on is sent.
const setSenderPositions = statement<[shards: number], never>(
  'synapse_import.sender_positions',
  `insert into federation_sender_positions (shard, pos)
     select s, p.last_value from generate_series(0, $1 - 1) as s cross join stream_position p
     on conflict (shard) do update set pos = excluded.pos`,
);

const setPushProgress = statement<[shards: number], never>(
  'synapse_import.push_progress',
  `insert into push_progress (shard, pos)
     select s, p.last_value from generate_series(0, $1 - 1) as s cross join stream_position p
     on conflict (shard) do update set pos = excluded.pos`,
);

/** Numbers that are given next are higher than those that were taken over. */
const raiseNumbers = statement<[], never>(
  'synapse_import.raise_numbers',
  `select setval(pg_get_serial_sequence('access_tokens', 'token_nid'),
       (select greatest(max(token_nid), 1) from access_tokens)),
     setval(pg_get_serial_sequence('refresh_tokens', 'refresh_nid'),
       (select greatest(max(refresh_nid), 1) from refresh_tokens)),
     setval(pg_get_serial_sequence('filters', 'filter_nid'),
       (select greatest(max(filter_nid), 1) from filters)),
     setval(pg_get_serial_sequence('key_backups', 'version'),
       (select greatest(max(version), 1) from key_backups))`,
);

const setDeviceChanges = statement<[], never>(
  'synapse_import.device_changes',
  `with changed as (
     insert into device_changes (user_nid, is_device, device_id, pos)
     select k.user_nid, true, d.device_id, nextval('stream_position')
     from device_keys k join devices d on d.user_nid = k.user_nid and d.device_nid = k.device_nid
     on conflict do nothing returning user_nid, pos)
   insert into device_list_changes (user_nid, pos)
     select user_nid, max(pos) from changed group by user_nid on conflict do nothing`,
);

const analyze = statement<[], never>('synapse_import.analyze', 'analyze');

/** What an import writes besides the rows that it copies. */
export function createTargetStore(database: Database) {
  return {
    state: async () => (await database.query(selectState, []))[0]!,
    /** Positions that are given next are higher than this. */
    raisePosition: (pos: number) => database.query(raisePosition, [pos]),
    pushRules: async (rows: readonly { user_id: string; content: string }[]) =>
      (await database.query(setPushRules, [JSON.stringify(rows)]))[0]!.count,
    pushers: async (rows: readonly object[]) =>
      (await database.query(addPushers, [JSON.stringify(rows)]))[0]!.count,
    /** What has happened so far is neither sent to other servers nor pushed. */
    async startAtEnd(shards: { sender: number; push: number }): Promise<void> {
      await database.query(setDeviceChanges, []);
      await database.query(raiseNumbers, []);
      await database.query(setSenderPositions, [shards.sender]);
      await database.query(setPushProgress, [shards.push]);
      await database.query(analyze, []);
    },
  };
}
