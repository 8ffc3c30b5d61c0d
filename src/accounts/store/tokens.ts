import { statement } from '../../database/statement.ts';

/** All that a request needs to know of the user behind its token. */
export interface TokenRow {
  tokenNid: number;
  userNid: number;
  userId: string;
  deviceId: string | null;
  deviceNid: number | null;
  validUntilTs: number | null;
  isUsed: boolean;
  refreshNid: number | null;
  /** An admin acts with it. */
  isPuppet: boolean;
  isGuest: boolean;
  isAdmin: boolean;
  isShadowBanned: boolean;
  isLocked: boolean;
  isSuspended: boolean;
  isDeactivated: boolean;
  accountValidUntilTs: number | null;
  ratePerSecond: number | null;
  rateBurst: number | null;
}

export const selectToken = statement<[tokenHash: Buffer], TokenRow>(
  'accounts.token',
  `select t.token_nid as "tokenNid", t.user_nid as "userNid", u.user_id as "userId",
     d.device_id as "deviceId", t.device_nid as "deviceNid", t.valid_until_ts as "validUntilTs",
     t.is_used as "isUsed", t.refresh_nid as "refreshNid",
     t.puppeteer_nid is not null as "isPuppet", a.is_guest as "isGuest",
     a.is_admin as "isAdmin", a.is_shadow_banned as "isShadowBanned", a.is_locked as "isLocked",
     a.is_suspended as "isSuspended", a.is_deactivated as "isDeactivated",
     a.valid_until_ts as "accountValidUntilTs", a.rate_per_second as "ratePerSecond",
     a.rate_burst as "rateBurst"
   from access_tokens t
     join users u using (user_nid)
     join accounts a using (user_nid)
     left join devices d on d.user_nid = t.user_nid and d.device_nid = t.device_nid
   where t.token_hash = $1`,
);

/** The first use of an access token makes the refresh token void that led to it. */
export const markTokenUsed = statement<[tokenHash: Buffer, refreshNid: number], object>(
  'accounts.mark_token_used',
  `with predecessor as (delete from refresh_tokens where next_nid = $2)
   update access_tokens set is_used = true where token_hash = $1`,
);

/** What an application service may act as: the account, and one of its devices when named. */
export const selectMasquerade = statement<
  [userId: string, deviceId: string | null],
  {
    userNid: number;
    deviceNid: number | null;
    isAdmin: boolean;
    isLocked: boolean;
    isSuspended: boolean;
    isShadowBanned: boolean;
    isDeactivated: boolean;
  }
>(
  'accounts.masquerade',
  `select u.user_nid as "userNid", d.device_nid as "deviceNid", a.is_admin as "isAdmin",
     a.is_locked as "isLocked", a.is_suspended as "isSuspended",
     a.is_shadow_banned as "isShadowBanned", a.is_deactivated as "isDeactivated"
   from users u join accounts a using (user_nid)
     left join devices d on d.user_nid = u.user_nid and d.device_id = $2
   where u.user_id = $1`,
);

/** One log-in: the device, made if it is new, and its tokens, which replace older ones. */
export type LoginParams = [
  userNid: number,
  deviceId: string,
  deviceDisplayName: string | null,
  nowTs: number,
  tokenHash: Buffer,
  tokenValidUntilTs: number | null,
  refreshHash: Buffer | null,
  refreshValidUntilTs: number | null,
  sessionValidUntilTs: number | null,
];

export const insertLogin = statement<
  LoginParams,
  { deviceNid: number; isNew: boolean; replaced: number }
>(
  'accounts.log_in',
  `with device as (
     insert into devices (user_nid, device_id, display_name, created_ts)
       values ($1, $2, $3, $4)
     on conflict (user_nid, device_id) do update set device_id = excluded.device_id
     returning device_nid, xmax = 0 as is_new
   ), replaced as (
     delete from access_tokens
     where user_nid = $1 and device_nid = (select device_nid from device)
     returning token_nid
   ), replaced_refreshable as (
     delete from refresh_tokens
     where user_nid = $1 and device_nid = (select device_nid from device)
   ), refreshable as (
     insert into refresh_tokens
       (token_hash, user_nid, device_nid, valid_until_ts, session_valid_until_ts)
       select $7::bytea, $1, device_nid, $8, $9 from device where $7::bytea is not null
     returning refresh_nid
   ), token as (
     insert into access_tokens
       (token_hash, user_nid, device_nid, created_ts, valid_until_ts, refresh_nid)
       select $5, $1, device_nid, $4, $6, (select refresh_nid from refreshable) from device
   )
   select device_nid as "deviceNid", is_new as "isNew",
     (select count(*)::integer from replaced) as replaced
   from device`,
);

/** A token with which an admin acts as a user; it has no device. */
export const insertPuppetToken = statement<
  [
    tokenHash: Buffer,
    userNid: number,
    nowTs: number,
    validUntilTs: number | null,
    puppeteerNid: number | null,
  ],
  object
>(
  'accounts.insert_puppet_token',
  `insert into access_tokens
     (token_hash, user_nid, device_nid, created_ts, valid_until_ts, puppeteer_nid)
   values ($1, $2, null, $3, $4, $5)`,
);

export const deleteToken = statement<[userNid: number, tokenNid: number], object>(
  'accounts.delete_token',
  `delete from access_tokens where user_nid = $1 and token_nid = $2`,
);

/**
 * All tokens of a user but one (0: all), those without a device too. Of those with which an admin acts
 * as somebody, the admin's go and not that user's. Gives the users of tokens that are gone.
 */
export const deleteTokensExcept = statement<
  [userNid: number, keptTokenNid: number],
  { userNid: number }
>(
  'accounts.delete_tokens_except',
  `with kept as (
     select device_nid from access_tokens where user_nid = $1 and token_nid = $2
   ), refreshable as (
     delete from refresh_tokens
     where user_nid = $1 and device_nid not in (select device_nid from kept)
   ), gone as (
     delete from access_tokens
     where token_nid <> $2 and ((user_nid = $1 and puppeteer_nid is null) or puppeteer_nid = $1)
     returning user_nid
   )
   select distinct user_nid as "userNid" from gone`,
);

export interface RefreshRow {
  userId: string;
  userNid: number;
  deviceNid: number;
  validUntilTs: number | null;
  sessionValidUntilTs: number | null;
  isDeactivated: boolean;
  isLocked: boolean;
}

export const selectRefreshToken = statement<[tokenHash: Buffer], RefreshRow>(
  'accounts.refresh_token',
  `select u.user_id as "userId", r.user_nid as "userNid", r.device_nid as "deviceNid",
     r.valid_until_ts as "validUntilTs", r.session_valid_until_ts as "sessionValidUntilTs",
     a.is_deactivated as "isDeactivated", a.is_locked as "isLocked"
   from refresh_tokens r join users u using (user_nid) join accounts a using (user_nid)
   where r.token_hash = $1`,
);

/**
 * Gives a refresh token its successor. An earlier successor that nobody used goes with its access
 * tokens; so does the predecessor, since this token is now in use; so do the device's access
 * tokens that expired before `$7`. No row: the token is gone.
 */
export const rotateRefreshToken = statement<
  [
    oldHash: Buffer,
    newRefreshHash: Buffer,
    refreshValidUntilTs: number | null,
    newTokenHash: Buffer,
    nowTs: number,
    tokenValidUntilTs: number | null,
    expiredBeforeTs: number,
  ],
  { refreshNid: number }
>(
  'accounts.rotate_refresh_token',
  `with current as (
     select refresh_nid, user_nid, device_nid, next_nid, session_valid_until_ts
     from refresh_tokens where token_hash = $1 for update
   ), successor as (
     insert into refresh_tokens
       (token_hash, user_nid, device_nid, valid_until_ts, session_valid_until_ts)
       select $2, user_nid, device_nid, $3, session_valid_until_ts from current
     returning refresh_nid
   ), linked as (
     update refresh_tokens r set next_nid = s.refresh_nid
     from successor s, current c where r.refresh_nid = c.refresh_nid
   ), unused as (
     delete from refresh_tokens r using current c
     where r.refresh_nid = c.next_nid or r.next_nid = c.refresh_nid
   ), unused_access as (
     delete from access_tokens t using current c
     where t.user_nid = c.user_nid and t.device_nid = c.device_nid
       and (t.refresh_nid = c.next_nid or t.valid_until_ts < $7)
   ), token as (
     insert into access_tokens
       (token_hash, user_nid, device_nid, created_ts, valid_until_ts, refresh_nid)
       select $4, c.user_nid, c.device_nid, $5, $6, s.refresh_nid from current c, successor s
   )
   select refresh_nid as "refreshNid" from successor`,
);

export const insertLoginToken = statement<
  [
    tokenHash: Buffer,
    userNid: number,
    validUntilTs: number,
    authProviderId: string | null,
    authProviderSessionId: string | null,
    extraAttributes: string | null,
  ],
  object
>(
  'accounts.insert_login_token',
  `insert into login_tokens
     (token_hash, user_nid, valid_until_ts, auth_provider_id, auth_provider_session_id,
      extra_attributes)
   values ($1, $2, $3, $4, $5, $6)`,
);

/** Takes a login token away; it is good once. */
export const takeLoginToken = statement<
  [tokenHash: Buffer],
  {
    userId: string;
    validUntilTs: number;
    authProviderId: string | null;
    authProviderSessionId: string | null;
    /** JSON text. */
    extraAttributes: string | null;
  }
>(
  'accounts.take_login_token',
  `with taken as (
     delete from login_tokens where token_hash = $1
     returning user_nid, valid_until_ts, auth_provider_id, auth_provider_session_id,
       extra_attributes
   )
   select u.user_id as "userId", valid_until_ts as "validUntilTs",
     auth_provider_id as "authProviderId", auth_provider_session_id as "authProviderSessionId",
     extra_attributes as "extraAttributes"
   from taken join users u using (user_nid)`,
);

export const insertOpenIdToken = statement<
  [tokenHash: Buffer, userNid: number, validUntilTs: number],
  object
>(
  'accounts.insert_openid_token',
  `insert into openid_tokens (token_hash, user_nid, valid_until_ts) values ($1, $2, $3)`,
);

export const selectOpenIdToken = statement<[tokenHash: Buffer, nowTs: number], { userId: string }>(
  'accounts.openid_token',
  `select u.user_id as "userId" from openid_tokens join users u using (user_nid)
   where token_hash = $1 and valid_until_ts >= $2`,
);

/** When the holder of a token last went through interactive authentication. */
export const selectLastValidated = statement<
  [userNid: number, tokenNid: number],
  { lastValidatedTs: number | null }
>(
  'accounts.token_last_validated',
  `select last_validated_ts as "lastValidatedTs" from access_tokens
   where user_nid = $1 and token_nid = $2`,
);

export const updateLastValidated = statement<
  [userNid: number, tokenNid: number, nowTs: number],
  object
>(
  'accounts.set_token_last_validated',
  `update access_tokens set last_validated_ts = $3 where user_nid = $1 and token_nid = $2`,
);

/** Short-lived tokens that have expired. */
export const deleteExpiredTokens = statement<[nowTs: number], object>(
  'accounts.delete_expired_tokens',
  `with logins as (delete from login_tokens where valid_until_ts < $1)
   delete from openid_tokens where valid_until_ts < $1`,
);
