import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';

/** A user of this server in a list, with the names of Synapse's admin API. */
export interface ListedUser {
  name: string;
  user_type: string | null;
  is_guest: boolean;
  admin: boolean;
  deactivated: boolean;
  locked: boolean;
  suspended: boolean;
  erased: boolean;
  shadow_banned: boolean;
  displayname: string | null;
  avatar_url: string | null;
  creation_ts: number;
  last_seen_ts: number | null;
}

/** What users can be sorted by, and by which column. */
const orders = {
  name: 'u.user_id',
  is_guest: 'a.is_guest',
  admin: 'a.is_admin',
  user_type: 'a.user_type',
  deactivated: 'a.is_deactivated',
  shadow_banned: 'a.is_shadow_banned',
  displayname: 'displayname',
  avatar_url: 'avatar_url',
  creation_ts: 'a.created_ts',
  last_seen_ts: 'last_seen_ts',
  locked: 'a.is_locked',
} as const;
export type UserOrder = keyof typeof orders;
export const userOrders = Object.keys(orders) as UserOrder[];

/** Null: does not matter. Texts are SQL patterns. */
export interface UserFilter {
  /** Of the user id. */
  userId: string | null;
  /** Of the localpart or the name, either in lower case. */
  localpart: string | null;
  displayName: string | null;
  guests: boolean | null;
  deactivated: boolean | null;
  admins: boolean | null;
  locked: boolean | null;
  /** Types that are left out; the empty text stands for users without a type. */
  notTypes: string[];
}

type Params = [
  userId: string | null,
  localpart: string | null,
  displayName: string | null,
  guests: boolean | null,
  deactivated: boolean | null,
  admins: boolean | null,
  locked: boolean | null,
  notTypes: string[],
  offset: number,
  limit: number,
];

const nameOf = (field: string) =>
  `(select ${readableJson('f.value')} #>> '{}' from profile_fields f
    where f.user_nid = a.user_nid and f.field = '${field}')`;

/** Devices know it for ever, connections for some weeks, those of sessions without a device too. */
const lastSeen = `(select max(s.ts) from (
    select d.last_seen_ts as ts from devices d where d.user_nid = a.user_nid
    union all
    select c.last_seen_ts from account_connections c where c.user_nid = a.user_nid) s)`;

const wanted = `from accounts a join users u using (user_nid)
  where ($1::text is null or u.user_id like $1)
    and ($2::text is null or lower(u.user_id) like $2
      or lower(${nameOf('displayname')}) like $3)
    and ($4::boolean is null or a.is_guest = $4)
    and ($5::boolean is null or a.is_deactivated = $5)
    and ($6::boolean is null or a.is_admin = $6)
    and ($7::boolean is null or a.is_locked = $7)
    and coalesce(a.user_type, '') <> all($8::text[])`;

function selectPage(order: UserOrder, direction: 'asc' | 'desc') {
  return statement<Params, { total: number; users: ListedUser[] }>(
    `accounts.list_by_${order}_${direction}`,
    `with page as (
       select u.user_id as name, a.user_type, a.is_guest, a.is_admin as admin,
         a.is_deactivated as deactivated, a.is_locked as locked, a.is_suspended as suspended,
         a.is_erased as erased, a.is_shadow_banned as shadow_banned,
         ${nameOf('displayname')} as displayname, ${nameOf('avatar_url')} as avatar_url,
         a.created_ts as creation_ts, ${lastSeen} as last_seen_ts
       ${wanted}
       order by ${orders[order]} ${direction}, u.user_id
       offset $9 limit $10)
     select (select count(*) ${wanted})::integer as total,
       (select coalesce(json_agg(page), '[]') from page) as users`,
  );
}

const pages = new Map(
  userOrders.flatMap((order) =>
    (['asc', 'desc'] as const).map(
      (direction) => [`${order} ${direction}`, selectPage(order, direction)] as const,
    ),
  ),
);

/** One page of users and how many there are: one statement. */
export const userPage = (order: UserOrder, direction: 'asc' | 'desc') =>
  pages.get(`${order} ${direction}`)!;

export const filterParams = (
  filter: UserFilter,
  page: { offset: number; limit: number },
): Params => [
  filter.userId,
  filter.localpart,
  filter.displayName,
  filter.guests,
  filter.deactivated,
  filter.admins,
  filter.locked,
  filter.notTypes,
  page.offset,
  page.limit,
];

/** What is known of one user beside the account itself. */
export interface UserDetails {
  displayName: string | null;
  avatarUrl: string | null;
  lastSeenTs: number | null;
  threepids: { medium: string; address: string; added_at: number; validated_at: number }[];
  externalIds: { auth_provider: string; external_id: string }[];
}

export const selectUserDetails = statement<[userNid: number], UserDetails>(
  'accounts.details',
  `select ${nameOf('displayname')} as "displayName", ${nameOf('avatar_url')} as "avatarUrl",
     ${lastSeen} as "lastSeenTs",
     (select coalesce(json_agg(json_build_object('medium', t.medium, 'address', t.address,
         'added_at', t.added_ts, 'validated_at', t.validated_ts) order by t.added_ts), '[]')
       from account_threepids t where t.user_nid = a.user_nid) as threepids,
     (select coalesce(json_agg(json_build_object('auth_provider', x.auth_provider,
         'external_id', x.external_id) order by x.auth_provider, x.external_id), '[]')
       from account_external_ids x where x.user_nid = a.user_nid) as "externalIds"
   from accounts a where a.user_nid = $1`,
);

/** Users whose id has the text in it. */
export const searchAccounts = statement<
  [pattern: string, limit: number],
  { name: string; is_guest: boolean; admin: boolean; user_type: string | null }
>(
  'accounts.search',
  `select u.user_id as name, a.is_guest, a.is_admin as admin, a.user_type
   from accounts a join users u using (user_nid)
   where u.user_id like $1 order by u.user_id limit $2`,
);

export const selectFeatures = statement<[userNid: number], { feature: string }>(
  'accounts.features',
  `select feature from account_features where user_nid = $1 and is_enabled`,
);

export const setFeatures = statement<
  [userNid: number, features: string[], areEnabled: boolean[]],
  object
>(
  'accounts.set_features',
  `insert into account_features (user_nid, feature, is_enabled)
     select $1, feature, is_enabled
     from unnest($2::text[], $3::boolean[]) as f (feature, is_enabled)
   on conflict (user_nid, feature) do update set is_enabled = excluded.is_enabled`,
);
