import { statement } from '../../database/statement.ts';

export interface AccountRow {
  userNid: number;
  userId: string;
  passwordHash: string | null;
  createdTs: number;
  userType: string | null;
  appserviceId: string | null;
  isGuest: boolean;
  isAdmin: boolean;
  isDeactivated: boolean;
  isErased: boolean;
  isLocked: boolean;
  isSuspended: boolean;
  isShadowBanned: boolean;
  validUntilTs: number | null;
}

const columns = `u.user_nid as "userNid", u.user_id as "userId",
  a.password_hash as "passwordHash", a.created_ts as "createdTs", a.user_type as "userType",
  a.appservice_id as "appserviceId", a.is_guest as "isGuest", a.is_admin as "isAdmin",
  a.is_deactivated as "isDeactivated", a.is_erased as "isErased", a.is_locked as "isLocked",
  a.is_suspended as "isSuspended", a.is_shadow_banned as "isShadowBanned",
  a.valid_until_ts as "validUntilTs"`;

/** The accounts among some user ids. */
export const selectAccounts = statement<[userIds: string[]], AccountRow>(
  'accounts.by_user_ids',
  `select ${columns} from users u join accounts a using (user_nid) where u.user_id = any($1)`,
);

export const selectAccountByThreepid = statement<[medium: string, address: string], AccountRow>(
  'accounts.by_threepid',
  `select ${columns} from account_threepids t
     join users u using (user_nid) join accounts a using (user_nid)
   where t.medium = $1 and t.address = $2`,
);

/** A registration with its first device and tokens; what is null is not made. */
export type RegistrationParams = [
  userId: string,
  passwordHash: string | null,
  createdTs: number,
  userType: string | null,
  appserviceId: string | null,
  isGuest: boolean,
  isAdmin: boolean,
  displayName: string | null,
  deviceId: string | null,
  deviceDisplayName: string | null,
  tokenHash: Buffer | null,
  tokenValidUntilTs: number | null,
  refreshHash: Buffer | null,
  refreshValidUntilTs: number | null,
  sessionValidUntilTs: number | null,
  authProvider: string | null,
  externalId: string | null,
];

/** No row: the user id is taken. `displayName` is JSON text. */
export const insertAccount = statement<
  RegistrationParams,
  { userNid: number; deviceNid: number | null }
>(
  'accounts.register',
  `with named as (
     insert into users (user_id) values ($1)
     on conflict (user_id) do update set user_id = excluded.user_id
     returning user_nid
   ), account as (
     insert into accounts
       (user_nid, password_hash, created_ts, user_type, appservice_id, is_guest, is_admin)
       select user_nid, $2, $3, $4, $5, $6, $7 from named
     on conflict (user_nid) do nothing
     returning user_nid
   ), profile as (
     insert into profile_fields (user_nid, field, value)
       select user_nid, 'displayname', $8::text from account where $8::text is not null
     on conflict (user_nid, field) do update set value = excluded.value
   ), external as (
     insert into account_external_ids (auth_provider, external_id, user_nid)
       select $16::text, $17::text, user_nid from account where $16::text is not null
   ), device as (
     insert into devices (user_nid, device_id, display_name, created_ts)
       select user_nid, $9::text, $10::text, $3 from account where $9::text is not null
     returning user_nid, device_nid
   ), refreshable as (
     insert into refresh_tokens
       (token_hash, user_nid, device_nid, valid_until_ts, session_valid_until_ts)
       select $13::bytea, user_nid, device_nid, $14, $15 from device where $13::bytea is not null
     returning refresh_nid
   ), token as (
     insert into access_tokens
       (token_hash, user_nid, device_nid, created_ts, valid_until_ts, refresh_nid)
       select $11::bytea, user_nid, device_nid, $3, $12, (select refresh_nid from refreshable)
       from device where $11::bytea is not null
   )
   select user_nid as "userNid", (select device_nid from device) as "deviceNid" from account`,
);

/** A guest becomes a full user; its devices and tokens stay. */
export const upgradeGuest = statement<[userNid: number, passwordHash: string | null], object>(
  'accounts.upgrade_guest',
  `update accounts set password_hash = $2, is_guest = false
   where user_nid = $1 and is_guest returning user_nid`,
);

export const nextLocalpart = statement<[], { localpart: number }>(
  'accounts.next_localpart',
  `select nextval('account_localparts') as localpart`,
);

export const updatePasswordHash = statement<[userNid: number, passwordHash: string | null], object>(
  'accounts.set_password_hash',
  `update accounts set password_hash = $2 where user_nid = $1`,
);

export const updateLocked = statement<[userNid: number, value: boolean], object>(
  'accounts.set_locked',
  `update accounts set is_locked = $2 where user_nid = $1`,
);

export const updateSuspended = statement<[userNid: number, value: boolean], object>(
  'accounts.set_suspended',
  `update accounts set is_suspended = $2 where user_nid = $1`,
);

/** Null: the usual limits. */
export const updateRateLimit = statement<
  [userNid: number, perSecond: number | null, burst: number | null],
  object
>(
  'accounts.set_rate_limit',
  `update accounts set rate_per_second = $2, rate_burst = $3 where user_nid = $1`,
);

export const selectRateLimit = statement<
  [userNid: number],
  { perSecond: number | null; burst: number | null }
>(
  'accounts.rate_limit',
  `select rate_per_second as "perSecond", rate_burst as burst from accounts where user_nid = $1`,
);

export const updateAdmin = statement<[userNid: number, value: boolean], object>(
  'accounts.set_admin',
  `update accounts set is_admin = $2 where user_nid = $1`,
);

export const updateShadowBanned = statement<[userNid: number, value: boolean], object>(
  'accounts.set_shadow_banned',
  `update accounts set is_shadow_banned = $2 where user_nid = $1`,
);

export const updateUserType = statement<[userNid: number, userType: string | null], object>(
  'accounts.set_user_type',
  `update accounts set user_type = $2 where user_nid = $1`,
);

export const updateValidUntil = statement<[userNid: number, validUntilTs: number | null], object>(
  'accounts.set_valid_until',
  `update accounts set valid_until_ts = $2 where user_nid = $1`,
);

/** Everything by which the user could be reached or could come back. Devices go separately. */
export const deactivateAccount = statement<[userNid: number, erase: boolean], object>(
  'accounts.deactivate',
  `with threepids as (delete from account_threepids where user_nid = $1),
   connections as (delete from account_connections where user_nid = $1),
   openid as (delete from openid_tokens where user_nid = $1),
   logins as (delete from login_tokens where user_nid = $1),
   tokens as (delete from access_tokens where user_nid = $1),
   refreshable as (delete from refresh_tokens where user_nid = $1)
   update accounts
     set is_deactivated = true, is_erased = is_erased or $2, password_hash = null,
       is_locked = false, is_admin = false
   where user_nid = $1`,
);

/** Those of the users whose writings are to be hidden. */
export const selectErased = statement<[userNids: readonly number[]], { userNid: number }>(
  'accounts.select_erased',
  `select user_nid as "userNid" from accounts where user_nid = any($1::bigint[]) and is_erased`,
);

export const selectGuests = statement<[userNids: readonly number[]], { userNid: number }>(
  'accounts.select_guests',
  `select user_nid as "userNid" from accounts where user_nid = any($1::bigint[]) and is_guest`,
);

/** A deactivated account can be used again; the caller sets a password. */
export const reactivateAccount = statement<[userNid: number, passwordHash: string | null], object>(
  'accounts.reactivate',
  `update accounts set is_deactivated = false, is_erased = false, password_hash = $2
   where user_nid = $1`,
);
