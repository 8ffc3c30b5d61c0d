import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** Counts of a device, or, with `unit`, a key id that is taken. */
export interface AddedRow {
  /** Which upload, from 1; null for counts. */
  unit: number | null;
  deviceNid: number;
  algorithm: string;
  /** The key id that is taken by another key. */
  keyId: string | null;
  count: number;
}

/** Whoever adds one-time keys of a device holds this until the end of the transaction. */
export const lockOneTimeKeys = statement<[deviceNids: number[]], never>(
  'keys.lock_one_time_keys',
  'select pg_advisory_xact_lock(nid) from unnest($1::bigint[]) as d(nid)',
);

/**
 * Stands between texts that are sent as one: an array of JSON texts would have to be escaped here
 * and read again there. JSON has no such character.
 */
export const separator = '\u001e';

/**
 * Adds one-time keys: user and device of each upload; upload (from 1), algorithm and key id of each
 * key, and the bodies and signatures (empty: none), with `separator` between them. Keys that
 * are there already are passed over; an upload with a key id that is another key's adds nothing.
 * One upload for each device; its lock is held.
 */
export const addOneTimeKeys = statement<
  [
    userNids: number[],
    deviceNids: number[],
    uploads: number[],
    algorithms: string[],
    keyIds: string[],
    bodies: string,
    signatures: string,
  ],
  AddedRow
>(
  'keys.add_one_time_keys',
  `with uploads as materialized (
     select * from unnest($1::bigint[], $2::bigint[]) with ordinality
       as u(user_nid, device_nid, unit)),
   wanted as materialized (
     select w.*, u.user_nid, u.device_nid
       from unnest($3::bigint[], $4::text[], $5::text[], string_to_array($6, '${separator}'),
           string_to_array($7, '${separator}')) with ordinality
         as w(unit, algorithm, key_id, body, signatures, nth)
       join uploads u on u.unit = w.unit),
   known as materialized (
     select k.device_nid, k.algorithm, k.key_id, k.body
       from uploads d
       join one_time_keys k on k.user_nid = d.user_nid and k.device_nid = d.device_nid),
   clashing as materialized (
     select w.nth, w.unit, w.device_nid, w.algorithm, w.key_id, k.body <> w.body as differs
       from wanted w
       join known k on k.device_nid = w.device_nid and k.algorithm = w.algorithm
         and k.key_id = w.key_id),
   added as (
     insert into one_time_keys (user_nid, device_nid, algorithm, key_id, body, signatures)
       select user_nid, device_nid, algorithm, key_id, body, nullif(signatures, '') from wanted
       where nth not in (select nth from clashing)
         and unit not in (select unit from clashing where differs)
       order by nth
       returning device_nid, algorithm)
   select null::bigint as unit, device_nid as "deviceNid", algorithm, null as "keyId",
       count(*) as count
     from (select device_nid, algorithm from known
       union all select device_nid, algorithm from added) there
     group by device_nid, algorithm
   union all
   select unit, device_nid, algorithm, key_id, 0 from clashing where differs`,
);

/** A key that was claimed: for the `nth` (from 1) of those wanted. */
export interface ClaimedRow {
  nth: number;
  userNid: number;
  deviceNid: number;
  keyId: string;
  body: string;
  signatures: string | null;
}

/**
 * Claims keys: user, device id and algorithm of each. One-time keys are deleted; where there are
 * none left the fallback key is given, and marked as used.
 */
export const claimKeys = statement<[number[], string[], string[]], ClaimedRow>(
  'keys.claim',
  `with wanted as materialized (
     select w.nth, d.user_nid, d.device_nid, w.algorithm,
         row_number() over (partition by d.device_nid, w.algorithm order by w.nth) as turn
       from unnest($1::bigint[], $2::text[], $3::text[])
         with ordinality as w(user_nid, device_id, algorithm, nth)
       join devices d on d.user_nid = w.user_nid and d.device_id = w.device_id),
   picked as materialized (
     select w.nth, k.key_nid, k.place
       from wanted w cross join lateral (
         select key_nid, ctid as place from one_time_keys o
           where o.user_nid = w.user_nid and o.device_nid = w.device_nid
             and o.algorithm = w.algorithm
           order by key_nid offset w.turn - 1 limit 1 for update skip locked) k),
   taken as (
     delete from one_time_keys o where o.ctid = any(array(select place from picked))
       returning o.key_nid, o.user_nid, o.device_nid, o.key_id, o.body, o.signatures),
   spent as materialized (
     select * from wanted w where not exists (select from picked p where p.nth = w.nth)),
   marked as (
     update fallback_keys f set is_used = true from spent s
       where f.user_nid = s.user_nid and f.device_nid = s.device_nid
         and f.algorithm = s.algorithm and not f.is_used)
   select p.nth, t.user_nid as "userNid", t.device_nid as "deviceNid", t.key_id as "keyId",
       t.body, t.signatures
     from taken t join picked p on p.key_nid = t.key_nid
   union all
   select s.nth, f.user_nid, f.device_nid, f.key_id, f.body, f.signatures
     from spent s
     join fallback_keys f on f.user_nid = s.user_nid and f.device_nid = s.device_nid
       and f.algorithm = s.algorithm`,
);

/** Replaces fallback keys: user and device; algorithm, key id, body, signatures of each. */
export const setFallbackKeys = statement<
  [number, number, string[], string[], string[], (string | null)[]],
  { algorithm: string }
>(
  'keys.set_fallback_keys',
  `insert into fallback_keys as f
       (user_nid, device_nid, algorithm, key_id, body, signatures)
     select $1, $2, * from unnest($3::text[], $4::text[], $5::text[], $6::text[])
     on conflict (user_nid, device_nid, algorithm) do update
       set key_id = excluded.key_id, body = excluded.body, signatures = excluded.signatures,
         is_used = false
       where (f.key_id, f.body) <> (excluded.key_id, excluded.body)
     returning f.algorithm`,
);

const selectStates = statement<
  [userNids: number[], deviceNids: number[]],
  { deviceNid: number; isFallback: boolean; algorithm: string; count: number }
>(
  'keys.one_time_key_states',
  `with devices as materialized (
     select * from unnest($1::bigint[], $2::bigint[]) as d(user_nid, device_nid))
   select d.device_nid as "deviceNid", false as "isFallback", k.algorithm, count(*) as count
     from devices d
       join one_time_keys k on k.user_nid = d.user_nid and k.device_nid = d.device_nid
     group by d.device_nid, k.algorithm
   union all
   select d.device_nid, true, f.algorithm, 1
     from devices d
       join fallback_keys f on f.user_nid = d.user_nid and f.device_nid = d.device_nid
     where not f.is_used`,
);

const trimKeys = statement<[number, number, number], never>(
  'keys.trim_one_time_keys',
  `delete from one_time_keys where user_nid = $1 and device_nid = $2 and key_nid <= (
     select key_nid from one_time_keys where user_nid = $1 and device_nid = $2
       order by key_nid desc offset $3 limit 1)`,
);

/** What a device has on the server for others to claim. */
export interface OneTimeKeyState {
  /** Unclaimed one-time keys by algorithm. */
  counts: Record<string, number>;
  /** Algorithms of fallback keys that nobody has claimed. */
  unusedFallbackTypes: string[];
}

function stateOf(
  rows: readonly { isFallback: boolean; algorithm: string; count: number }[],
): OneTimeKeyState {
  const counts: Record<string, number> = {};
  const unusedFallbackTypes: string[] = [];
  for (const { isFallback, algorithm, count } of rows) {
    if (isFallback) unusedFallbackTypes.push(algorithm);
    else counts[algorithm] = count;
  }
  return { counts, unusedFallbackTypes };
}

export function createOneTimeKeyStore(database: Queryable) {
  return {
    /** By device, also of those that have none. */
    async states(
      devices: readonly { userNid: number; deviceNid: number }[],
    ): Promise<Map<number, OneTimeKeyState>> {
      const nids = devices.map(({ deviceNid }) => deviceNid);
      const rows = await database.query(selectStates, [
        devices.map(({ userNid }) => userNid),
        nids,
      ]);
      const byDevice = Map.groupBy(rows, ({ deviceNid }) => deviceNid);
      return new Map(nids.map((nid) => [nid, stateOf(byDevice.get(nid) ?? [])]));
    },
    /** Keeps a device's newest one-time keys only. */
    async trim(userNid: number, deviceNid: number, kept: number) {
      await database.query(trimKeys, [userNid, deviceNid, kept]);
    },
  };
}

export type OneTimeKeyStore = ReturnType<typeof createOneTimeKeyStore>;
