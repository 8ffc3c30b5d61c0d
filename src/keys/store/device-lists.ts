import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { DeviceListRow, UserSignatureRow } from '../streams.ts';

/** A change of a device list, announced in the transaction that made it. */
export interface AnnouncedRow {
  pos: number;
  roomNids: number[];
}

const roomsOf = (user: string) =>
  `array(select room_nid from memberships where user_nid = ${user} and membership = 'join')`;

/** What other servers are told of as a change of the user's cross-signing keys. */
const ofCrossSigning = `select false, ''`;

/**
 * Ends a statement: gives the user ($1) a new position if `condition` holds. `changed`: SQL for what
 * other servers are told has changed, as (is_device, device_id).
 */
const announcing = (condition: string, changed: string) => `
   announced as (
     insert into device_list_changes (user_nid, pos)
       select $1, nextval('stream_position') where ${condition}
       on conflict (user_nid) do update set pos = excluded.pos
       returning pos),
   told as (
     insert into device_changes (user_nid, is_device, device_id, pos, prev_pos)
       select $1, w.is_device, w.device_id, a.pos,
         (select max(c.pos) from device_changes c where c.user_nid = $1 and c.is_device)
       from announced a cross join (${changed}) as w(is_device, device_id)
       on conflict (user_nid, is_device, device_id)
         do update set pos = excluded.pos, prev_pos = excluded.prev_pos)
   select pos, ${roomsOf('$1')} as "roomNids" from announced`;

/** Unchanged keys are not announced. */
export const setDeviceKeys = statement<[number, deviceNid: number, keys: string], AnnouncedRow>(
  'keys.set_device_keys',
  `with changed as (
     insert into device_keys as k (user_nid, device_nid, keys) values ($1, $2, $3)
       on conflict (user_nid, device_nid) do update set keys = excluded.keys
         where k.keys <> excluded.keys
       returning user_nid),
   ${announcing(
     'exists (select from changed)',
     'select true, device_id from devices where user_nid = $1 and device_nid = $2',
   )}`,
);

/** Announces devices that have keys. */
export const announceDevices = statement<[number, deviceIds: string[]], AnnouncedRow>(
  'keys.announce_devices',
  `with named as materialized (
     select d.device_id from device_keys k join devices d using (user_nid, device_nid)
       where k.user_nid = $1 and d.device_id = any($2)),
   ${announcing('exists (select from named)', 'select true, device_id from named')}`,
);

/** Announces the user's newest device, one with keys if there is one. Others ask for the rest. */
export const announceNewest = statement<[number], AnnouncedRow>(
  'keys.announce_newest_device',
  `with named as materialized (
     select d.device_id from devices d left join device_keys k using (user_nid, device_nid)
       where d.user_nid = $1
       order by k.device_nid is null, d.device_nid desc limit 1),
   ${announcing('exists (select from named)', 'select true, device_id from named')}`,
);

/** Everything the devices have left here; announced when they had keys. */
export const deleteDevicesKeys = statement<
  [number, deviceNids: number[], deviceIds: string[]],
  AnnouncedRow
>(
  'keys.delete_devices_keys',
  `with gone as (
     delete from device_keys where user_nid = $1 and device_nid = any($2) returning device_nid),
   one_time as (delete from one_time_keys where user_nid = $1 and device_nid = any($2)),
   fallback as (delete from fallback_keys where user_nid = $1 and device_nid = any($2)),
   signed as (
     delete from key_signatures
       where target_nid = $1 and (target_id = any($3)
         or (signer_nid = $1 and substr(key_id, strpos(key_id, ':') + 1) = any($3)))),
   ${announcing(
     'exists (select from gone)',
     `select true, i.device_id from unnest($2::bigint[], $3::text[]) as i(device_nid, device_id)
        join gone g on g.device_nid = i.device_nid where i.device_id is not null`,
   )}`,
);

/**
 * Sets cross-signing keys (usage, public key and JSON of each). Signatures by and on the keys that
 * are replaced go.
 */
export const setCrossSigningKeys = statement<
  [number, usages: string[], publicKeys: string[], keys: string[]],
  AnnouncedRow
>(
  'keys.set_cross_signing_keys',
  `with new as materialized (
     select * from unnest($2::text[], $3::text[], $4::text[]) as n(usage, public_key, key)),
   replaced as (
     select c.public_key from cross_signing_keys c join new n on n.usage = c.usage
       where c.user_nid = $1 and c.public_key <> n.public_key),
   unsigned as (
     delete from key_signatures s using replaced r
       where (s.target_nid = $1 and s.target_id = r.public_key)
         or (s.signer_nid = $1 and s.target_nid = $1 and s.key_id = 'ed25519:' || r.public_key)),
   written as (
     insert into cross_signing_keys (user_nid, usage, public_key, key)
       select $1, usage, public_key, key from new
       on conflict (user_nid, usage) do update
         set public_key = excluded.public_key, key = excluded.key),
   ${announcing('true', ofCrossSigning)}`,
);

/** Keeps signatures of a user's own keys: signing key, target and signature of each. */
export const addOwnSignatures = statement<
  [number, keyIds: string[], targetIds: string[], signatures: string[]],
  AnnouncedRow
>(
  'keys.add_own_signatures',
  `with written as (
     insert into key_signatures as s (signer_nid, target_nid, key_id, target_id, signature)
       select $1, $1, * from unnest($2::text[], $3::text[], $4::text[])
       on conflict (target_nid, signer_nid, target_id, key_id) do update
         set signature = excluded.signature where s.signature <> excluded.signature
       returning 1),
   ${announcing(
     'exists (select from written)',
     `select distinct d.device_id is not null, coalesce(d.device_id, '')
        from unnest($3::text[]) as t(id)
        left join devices d on d.user_nid = $1 and d.device_id = t.id`,
   )}`,
);

/** Keeps a user's signatures of others' keys, which only the user will see. */
export const addUserSignatures = statement<
  [number, keyIds: string[], targetNids: number[], targetIds: string[], signatures: string[]],
  { pos: number; targetNid: number }
>(
  'keys.add_user_signatures',
  `with drawn as materialized (select nextval('stream_position') as pos)
   insert into key_signatures (signer_nid, key_id, target_nid, target_id, signature, pos)
     select $1, n.*, d.pos
       from unnest($2::text[], $3::bigint[], $4::text[], $5::text[]) n cross join drawn d
     on conflict (target_nid, signer_nid, target_id, key_id) do update
       set signature = excluded.signature, pos = excluded.pos
     returning pos, target_nid as "targetNid"`,
);

const selectStream = statement<[number, number], DeviceListRow & { pos: number }>(
  'keys.device_list_stream',
  `select c.pos, c.user_nid as "userNid", u.user_id as "userId",
     ${roomsOf('c.user_nid')} as "roomNids"
   from device_list_changes c join users u on u.user_nid = c.user_nid
   where c.pos > $1 and c.pos <= $2 order by c.pos`,
);

const selectSignatureStream = statement<[number, number], UserSignatureRow & { pos: number }>(
  'keys.user_signature_stream',
  `select s.pos, s.signer_nid as "userNid", array_agg(distinct u.user_id) as "targetIds"
   from key_signatures s join users u on u.user_nid = s.target_nid
   where s.pos > $1 and s.pos <= $2 group by s.pos, s.signer_nid order by s.pos`,
);

const selectChanged = statement<[number, number, number], { userId: string }>(
  'keys.changed_device_lists',
  `select u.user_id as "userId" from device_list_changes c
     join users u on u.user_nid = c.user_nid
   where c.pos > $2 and c.pos <= $3 and (c.user_nid = $1 or exists (
     select from memberships a join memberships b on b.room_nid = a.room_nid
     where a.user_nid = $1 and a.membership = 'join'
       and b.user_nid = c.user_nid and b.membership = 'join'))
   union
   select u.user_id from key_signatures s join users u on u.user_nid = s.target_nid
   where s.signer_nid = $1 and s.pos > $2 and s.pos <= $3`,
);

const selectOrphans = statement<
  [limit: number],
  { userNid: number; userId: string; deviceNids: number[] }
>(
  'keys.orphans',
  `select k.user_nid as "userNid", u.user_id as "userId",
     array_agg(k.device_nid) as "deviceNids"
   from (select user_nid, device_nid from device_keys
     union select user_nid, device_nid from fallback_keys) k
   join users u on u.user_nid = k.user_nid
   where not exists (
     select from devices d where d.user_nid = k.user_nid and d.device_nid = k.device_nid)
   group by k.user_nid, u.user_id limit $1`,
);

export function createDeviceListStore(database: Queryable) {
  return {
    stream: (afterPos: number, uptoPos: number) =>
      database.query(selectStream, [afterPos, uptoPos]),
    signatureStream: (afterPos: number, uptoPos: number) =>
      database.query(selectSignatureStream, [afterPos, uptoPos]),
    /** Users whose keys look different to the reader since a position. */
    async changed(readerNid: number, afterPos: number, uptoPos: number): Promise<string[]> {
      const rows = await database.query(selectChanged, [readerNid, afterPos, uptoPos]);
      return rows.map(({ userId }) => userId);
    },
    /** Keys of devices that are no more. */
    orphans: (limit: number) => database.query(selectOrphans, [limit]),
  };
}

export type DeviceListStore = ReturnType<typeof createDeviceListStore>;
