import type { Database } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

export type PusherKind = 'http' | 'email';

/** A pusher as the client has set it. */
export interface PusherSettings {
  appId: string;
  pushkey: string;
  kind: PusherKind;
  appDisplayName: string;
  deviceDisplayName: string;
  profileTag: string | null;
  lang: string;
  /** JSON text. */
  data: string;
  /** False: it is kept, but nothing is pushed (MSC3881). */
  isEnabled: boolean;
}

/** A pusher as a client wants it to be. */
export interface WantedPusher extends PusherSettings {
  /** It was switched on or off, maybe by another device than its own: it stays with that one. */
  staysWithDevice: boolean;
}

export interface PusherRow extends PusherSettings {
  pusherNid: number;
  userNid: number;
  userId: string;
  shard: number;
  createdTs: number;
  /** Notifications up to here are done with. */
  pos: number;
  startPos: number | null;
  failingSinceTs: number | null;
  /** The device that set it; null: none did. */
  deviceId: string | null;
}

const columns = `p.pusher_nid as "pusherNid", p.user_nid as "userNid", u.user_id as "userId", p.shard,
  p.app_id as "appId", p.pushkey, p.kind, p.app_display_name as "appDisplayName",
  p.device_display_name as "deviceDisplayName", p.profile_tag as "profileTag", p.lang, p.data,
  p.created_ts as "createdTs", p.pos, p.start_pos as "startPos",
  p.failing_since_ts as "failingSinceTs", p.is_enabled as "isEnabled", d.device_id as "deviceId"`;

const select = (where: string) =>
  `select ${columns} from pushers p join users u on u.user_nid = p.user_nid
   left join devices d on d.user_nid = p.user_nid and d.device_nid = p.device_nid
   where ${where} order by p.pusher_nid`;

const selectOfUser = statement<[number], PusherRow>('pushers_of_user', select('p.user_nid = $1'));
const selectActiveOfUsers = statement<[number[]], PusherRow>(
  'active_pushers_of_users',
  select('p.user_nid = any($1) and p.is_enabled'),
);
const selectActiveOfShards = statement<[number[]], PusherRow>(
  'active_pushers_of_shards',
  select('p.shard = any($1) and p.is_enabled'),
);

type Upsert = [
  ...[userNid: number, shard: number, appId: string, pushkey: string, kind: string],
  ...[appName: string, deviceName: string, profileTag: string | null, lang: string, data: string],
  ...[tokenNid: number | null, deviceNid: number | null, createdTs: number],
  ...[isEnabled: boolean, staysWithDevice: boolean],
];

/**
 * A pusher that is set again goes on where it was; one that was switched off begins anew. It belongs to the
 * device that sets it, or stays with the one that has set it first.
 */
const upsertPusher = statement<Upsert, { pusherNid: number }>(
  'upsert_pusher',
  `with now as (
     select case when is_called then last_value else 0 end as pos from stream_position)
   insert into pushers as p (user_nid, shard, app_id, pushkey, kind, app_display_name,
     device_display_name, profile_tag, lang, data, token_nid, device_nid, created_ts, is_enabled,
     pos, start_pos)
   select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, now.pos,
     case when exists (select from pushers o
         where o.user_nid = $1 and o.start_pos is null and o.is_enabled)
       then null else now.pos end
   from now
   on conflict (app_id, pushkey, user_nid) do update set kind = excluded.kind,
     app_display_name = excluded.app_display_name,
     device_display_name = excluded.device_display_name, profile_tag = excluded.profile_tag,
     lang = excluded.lang, data = excluded.data,
     token_nid = case when $15 then p.token_nid else excluded.token_nid end,
     device_nid = case when $15 then p.device_nid else excluded.device_nid end, created_ts = excluded.created_ts, failing_since_ts = null,
     is_enabled = excluded.is_enabled,
     pos = case when p.is_enabled then p.pos else excluded.pos end,
     start_pos = case when p.is_enabled then p.start_pos else excluded.start_pos end
   returning pusher_nid as "pusherNid"`,
);

interface Deleted {
  userNid: number;
  userId: string;
}

const remove = <P extends readonly unknown[]>(name: string, where: string) =>
  statement<P, Deleted>(
    name,
    `with gone as (delete from pushers where ${where} returning pusher_nid, user_nid),
       mails as (delete from push_mail_throttles
         where pusher_nid in (select pusher_nid from gone))
     select distinct u.user_nid as "userNid", u.user_id as "userId" from gone
       join users u on u.user_nid = gone.user_nid`,
  );

const deleteOne = remove<[number, string, string]>(
  'delete_pusher',
  'user_nid = $1 and app_id = $2 and pushkey = $3',
);
const deleteOfOthers = remove<[number, string, string]>(
  'delete_pushers_of_others',
  'user_nid <> $1 and app_id = $2 and pushkey = $3',
);
const deleteOfDevices = remove<[number, number[]]>(
  'delete_pushers_of_devices',
  `user_nid = $1 and (device_nid = any($2) or device_nid is null and token_nid is not null
     and not exists (select from access_tokens t where t.user_nid = $1 and t.token_nid = pushers.token_nid))`,
);
const deleteAll = remove<[number]>('delete_pushers_of_user', 'user_nid = $1');

/** What became of pushes; by pusher. */
export interface PusherOutcome {
  pusherNid: number;
  pos: number;
  lastSuccessTs: number | null;
  failingSinceTs: number | null;
}

const updateOutcomes = statement<
  [number[], number[], (number | null)[], (number | null)[]],
  { pusherNid: number }
>(
  'update_pusher_outcomes',
  `update pushers p set pos = greatest(p.pos, v.pos), failing_since_ts = v.failing,
     last_success_ts = coalesce(v.success, p.last_success_ts)
   from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
     as v(nid, pos, success, failing)
   where p.pusher_nid = v.nid returning p.pusher_nid as "pusherNid"`,
);

export interface WhoSets {
  userNid: number;
  shard: number;
  tokenNid: number | null;
  deviceNid: number | null;
  createdTs: number;
}

export function createPusherStore(database: Database) {
  return {
    ofUser: (userNid: number) => database.query(selectOfUser, [userNid]),
    /** Without those that are switched off, as the next. */
    activeOfUsers: (userNids: number[]) => database.query(selectActiveOfUsers, [userNids]),
    activeOfShards: (shards: number[]) => database.query(selectActiveOfShards, [shards]),
    async set(who: WhoSets, s: WantedPusher): Promise<void> {
      const { userNid, shard, tokenNid, deviceNid, createdTs } = who;
      const names = [s.appDisplayName, s.deviceDisplayName, s.profileTag, s.lang, s.data] as const;
      const from = [tokenNid, deviceNid, createdTs, s.isEnabled, s.staysWithDevice] as const;
      await database.query(upsertPusher, [
        ...([userNid, shard, s.appId, s.pushkey, s.kind] as const),
        ...names,
        ...from,
      ]);
    },
    /** Deleting gives the users who had such a pusher. */
    delete: (userNid: number, appId: string, pushkey: string) =>
      database.query(deleteOne, [userNid, appId, pushkey]),
    deleteOfOthers: (userNid: number, appId: string, pushkey: string) =>
      database.query(deleteOfOthers, [userNid, appId, pushkey]),
    /** Also those of tokens without a device that are void by now. */
    deleteOfDevices: (userNid: number, deviceNids: number[]) =>
      database.query(deleteOfDevices, [userNid, deviceNids]),
    deleteAll: (userNid: number) => database.query(deleteAll, [userNid]),
    /** Gives the numbers of those that still exist. */
    async note(outcomes: readonly PusherOutcome[]): Promise<Set<number>> {
      const rows = await database.query(updateOutcomes, [
        outcomes.map((one) => one.pusherNid),
        outcomes.map((one) => one.pos),
        outcomes.map((one) => one.lastSuccessTs),
        outcomes.map((one) => one.failingSinceTs),
      ]);
      return new Set(rows.map((row) => row.pusherNid));
    },
  };
}

export type PusherStore = ReturnType<typeof createPusherStore>;
