import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { AnnouncedRow } from './device-lists.ts';

/**
 * A room that the user (SQL) and a user of this server are both in; with `since` (SQL) from that
 * position on without a break.
 */
const sharedRoom = (user: string, since?: string) => `
  select from memberships theirs
    join memberships ours on ours.room_nid = theirs.room_nid and ours.membership = 'join'
      and ours.is_local
    where theirs.user_nid = ${user} and theirs.membership = 'join'
      ${since === undefined ? '' : `and theirs.pos <= ${since} and ours.pos <= ${since}`}`;

/** What is known of the devices of a user of another server. */
export interface RemoteListState {
  userId: string;
  userNid: number;
  /** A room is shared now, so the user's server tells of changes. */
  isShared: boolean;
  /** All changes are known: what is stored is what the user's server would say. */
  isCurrent: boolean;
  /** Null: nothing is stored. */
  version: number | null;
}

const selectStates = statement<[userIds: string[]], RemoteListState>(
  'keys.remote_list_states',
  `select u.user_id as "userId", u.user_nid as "userNid",
     exists (${sharedRoom('u.user_nid')}) as "isShared",
     l.user_nid is not null and not l.is_stale
       and exists (${sharedRoom('u.user_nid', 'l.since_pos')}) as "isCurrent",
     l.version
   from users u left join remote_device_lists l on l.user_nid = u.user_nid
   where u.user_id = any($1)`,
);

/** Parts of a statement that set cross-signing keys: usages, public keys and JSON texts. */
const settingKeys = (usages: string, publicKeys: string, keys: string, condition: string) => `
   new_keys as materialized (
     select * from unnest(${usages}::text[], ${publicKeys}::text[], ${keys}::text[])
       as n(usage, public_key, key) where ${condition}),
   replaced as (
     select c.public_key from cross_signing_keys c join new_keys n on n.usage = c.usage
       where c.user_nid = $1 and c.public_key <> n.public_key),
   unsigned as (
     delete from key_signatures s using replaced r
       where s.target_nid = $1 and s.target_id = r.public_key),
   written_keys as (
     insert into cross_signing_keys (user_nid, usage, public_key, key)
       select $1, usage, public_key, key from new_keys
       on conflict (user_nid, usage) do update
         set public_key = excluded.public_key, key = excluded.key)`;

/**
 * Stores what a server has answered: user; stream id; the position and the version from before it was
 * asked; devices (id, keys, display name); cross-signing keys (usage, public key, key). Not when the
 * list has changed meanwhile: the answer may be older than that.
 */
export const storeRemoteList = statement<
  [
    userNid: number,
    streamId: number | null,
    sincePos: number,
    version: number | null,
    deviceIds: string[],
    keys: string[],
    names: (string | null)[],
    usages: string[],
    publicKeys: string[],
    crossSigningKeys: string[],
  ],
  never
>(
  'keys.store_remote_list',
  `with list as (
     insert into remote_device_lists as l (user_nid, stream_id, is_stale, since_pos, version)
       values ($1, $2, false, $3, nextval('remote_device_list_versions'))
       on conflict (user_nid) do update set stream_id = excluded.stream_id, is_stale = false,
         since_pos = excluded.since_pos, version = excluded.version
         where l.version = $4::bigint
       returning user_nid),
   gone as (
     delete from remote_device_keys k using list l
       where k.user_nid = l.user_nid and k.device_id <> all($5::text[])),
   written as (
     insert into remote_device_keys (user_nid, device_id, keys, display_name)
       select l.user_nid, d.* from list l
         cross join unnest($5::text[], $6::text[], $7::text[]) as d
       on conflict (user_nid, device_id) do update
         set keys = excluded.keys, display_name = excluded.display_name),
   gone_keys as (
     delete from cross_signing_keys k using list l
       where k.user_nid = l.user_nid and k.usage <> all($8::text[])),
   ${settingKeys('$8', '$9', '$10', 'exists (select from list)')}
   select from list`,
);

const announced = `
   announced as (
     insert into device_list_changes (user_nid, pos)
       select $1, nextval('stream_position') from judged where not is_known and is_visible
       on conflict (user_nid) do update set pos = excluded.pos
       returning pos)
   select pos, array(
     select room_nid from memberships where user_nid = $1 and membership = 'join') as "roomNids"
   from announced`;

/** Devices of one user that are kept. */
export const remoteDevicesMax = 1_000;

/**
 * Takes in a change of one device: user, device id, keys (null: it has none, or is gone), display
 * name, stream id, and those that it follows. When it does not follow what is known, or that has come
 * to an end, the list is stale from then on. Announces the change, unless it is known or no room is
 * shared, or it is about a device that has never had keys (`hasNoKeys`): nobody here sees that.
 */
export const changeRemoteDevice = statement<
  [
    userNid: number,
    deviceId: string,
    keys: string | null,
    displayName: string | null,
    streamId: number,
    previousIds: number[],
    hasNoKeys: boolean,
  ],
  AnnouncedRow
>(
  'keys.change_remote_device',
  `with known as materialized (
     select stream_id, is_stale from remote_device_lists where user_nid = $1 for update),
   judged as materialized (
     select coalesce(not k.is_stale and k.stream_id = $5, false) as is_known,
         coalesce(not k.is_stale and k.stream_id = any($6::bigint[]), false)
           and ($3::text is null or (select count(*) from remote_device_keys
             where user_nid = $1 and device_id <> $2) < ${remoteDevicesMax}) as follows,
         not $7::bool or exists (select from remote_device_keys
           where user_nid = $1 and device_id = $2)
         or not case cardinality($6::bigint[]) when 0 then coalesce(k.stream_id, 0) = 0
             else coalesce(k.stream_id = any($6::bigint[]), false) end as is_visible
       from (select 1) one left join known k on true
       where exists (${sharedRoom('$1')})),
   list as (
     insert into remote_device_lists (user_nid, stream_id, is_stale, since_pos, version)
       select $1, case when follows then $5 end, not follows, 0,
           nextval('remote_device_list_versions')
         from judged where not is_known
       on conflict (user_nid) do update set stream_id = excluded.stream_id,
         is_stale = excluded.is_stale, version = excluded.version),
   gone as (
     delete from remote_device_keys where user_nid = $1 and device_id = $2 and $3::text is null
       and (select follows and not is_known from judged)),
   written as (
     insert into remote_device_keys (user_nid, device_id, keys, display_name)
       select $1, $2, $3, $4::text from judged where follows and not is_known and $3 is not null
       on conflict (user_nid, device_id) do update
         set keys = excluded.keys, display_name = excluded.display_name),
   ${announced}`,
);

/**
 * Takes in cross-signing keys: user; usage, public key and key of each. They are kept where the user
 * is followed, and announced where a room is shared.
 */
export const changeRemoteKeys = statement<
  [userNid: number, usages: string[], publicKeys: string[], keys: string[]],
  AnnouncedRow
>(
  'keys.change_remote_keys',
  `with known as materialized (
     select is_stale from remote_device_lists where user_nid = $1 for update),
   judged as materialized (
     select false as is_known, true as is_visible, coalesce(not k.is_stale, false) as is_followed
       from (select 1) one left join known k on true
       where exists (${sharedRoom('$1')})),
   list as (
     insert into remote_device_lists as l (user_nid, stream_id, is_stale, since_pos, version)
       select $1, null, true, 0, nextval('remote_device_list_versions') from judged
       on conflict (user_nid) do update set version = excluded.version),
   ${settingKeys('$2', '$3', '$4', 'exists (select from judged where is_followed)')},
   ${announced}`,
);

const deleteUnshared = statement<[limit: number], { userNid: number }>(
  'keys.delete_unshared_lists',
  `with gone as (
     delete from remote_device_lists where user_nid = any(array(
       select l.user_nid from remote_device_lists l
         where not exists (${sharedRoom('l.user_nid')}) limit $1))
       returning user_nid),
   devices as (delete from remote_device_keys k using gone g where k.user_nid = g.user_nid),
   crossed as (delete from cross_signing_keys k using gone g where k.user_nid = g.user_nid)
   select user_nid as "userNid" from gone`,
);

export function createRemoteListStore(database: Queryable) {
  return {
    /** Of those of the users who are known here. */
    states: (userIds: readonly string[]) => database.query(selectStates, [[...userIds]]),
    /** Forgets users with whom no room is shared any more, at most `limit`. */
    async deleteUnshared(limit: number): Promise<number[]> {
      const rows = await database.query(deleteUnshared, [limit]);
      return rows.map(({ userNid }) => userNid);
    },
  };
}

export type RemoteListStore = ReturnType<typeof createRemoteListStore>;
