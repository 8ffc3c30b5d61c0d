-- Accounts of this server: who may log in, their devices and tokens, profiles, interactive
-- authentication. Tokens are kept as SHA-256 hashes only: a copy of the database logs nobody in.
-- Locks: none (new tables).

-- Localparts for guests and for accounts registered without a username.
create sequence account_localparts;

create table accounts (
  user_nid         bigint primary key,
  -- Null: no log-in by password.
  password_hash    text,
  created_ts       bigint not null,
  -- null, 'support', 'bot' or another of the configured user types.
  user_type        text,
  -- The application service that created it.
  appservice_id    text,
  is_guest         boolean not null default false,
  is_admin         boolean not null default false,
  is_deactivated   boolean not null default false,
  -- Deactivated with the wish that others no longer see what they wrote.
  is_erased        boolean not null default false,
  is_locked        boolean not null default false,
  is_suspended     boolean not null default false,
  is_shadow_banned boolean not null default false,
  -- After this time every request is refused until the account is renewed; null: never.
  valid_until_ts   bigint
);
create index accounts_created on accounts (created_ts, user_nid);

create table devices (
  user_nid             bigint not null,
  device_nid           bigint generated always as identity,
  device_id            text not null,
  display_name         text,
  created_ts           bigint not null,
  last_seen_ts         bigint,
  last_seen_ip         text,
  last_seen_user_agent text,
  primary key (user_nid, device_nid)
);
create unique index devices_device_id on devices (user_nid, device_id);

create table access_tokens (
  token_hash        bytea primary key,
  token_nid         bigint generated always as identity,
  user_nid          bigint not null,
  -- Null: made by an admin to act as the user.
  device_nid        bigint,
  created_ts        bigint not null,
  -- Null: until logged out.
  valid_until_ts    bigint,
  -- The refresh token that came with it.
  refresh_nid       bigint,
  -- Set by the first request that carries it; then the refresh token before its own is void.
  is_used           boolean not null default false,
  -- When its holder last went through interactive authentication.
  last_validated_ts bigint,
  -- The admin who acts as the user with it.
  puppeteer_nid     bigint
);
create index access_tokens_device on access_tokens (user_nid, device_nid);
create index access_tokens_expiry on access_tokens (valid_until_ts) where valid_until_ts is not null;

-- A refreshed token stays until its successor, or the access token that came with it, is used.
create table refresh_tokens (
  token_hash             bytea primary key,
  refresh_nid            bigint generated always as identity,
  user_nid               bigint not null,
  device_nid             bigint not null,
  -- Its successor, once refreshed.
  next_nid               bigint,
  valid_until_ts         bigint,
  -- The end of the whole session, whatever is refreshed.
  session_valid_until_ts bigint
);
create unique index refresh_tokens_nid on refresh_tokens (refresh_nid);
create index refresh_tokens_device on refresh_tokens (user_nid, device_nid);
create index refresh_tokens_next on refresh_tokens (next_nid) where next_nid is not null;

-- Single-use tokens for m.login.token.
create table login_tokens (
  token_hash               bytea primary key,
  user_nid                 bigint not null,
  valid_until_ts           bigint not null,
  -- The single sign-on provider and its session, when they were made after one.
  auth_provider_id         text,
  auth_provider_session_id text
);
create index login_tokens_expiry on login_tokens (valid_until_ts);

create table openid_tokens (
  token_hash     bytea primary key,
  user_nid       bigint not null,
  valid_until_ts bigint not null
);
create index openid_tokens_expiry on openid_tokens (valid_until_ts);

create table registration_tokens (
  token        text primary key,
  -- Null: any number.
  uses_allowed integer,
  -- Sessions that hold the token and are not finished.
  pending      integer not null default 0,
  completed    integer not null default 0,
  expiry_ts    bigint
);

-- Interactive authentication in progress. Any process can go on with a session.
create table ui_auth_sessions (
  session_id         text primary key,
  created_ts         bigint not null,
  -- Method, path and user of the request being authenticated: a session is good for one operation.
  operation          text not null,
  description        text not null,
  -- The request body without `auth` and passwords, as JSON.
  request            text not null,
  -- Stage → its result, as JSON.
  completed          text not null default '{}',
  -- Kept so that the client need not send the password again.
  password_hash      text,
  -- Registration: what the session has led to already, so that a retry gives the same account.
  registered_user_id text,
  -- The registration token whose `pending` this session counts in.
  registration_token text
);
create index ui_auth_sessions_created on ui_auth_sessions (created_ts);

-- E-mail addresses and phone numbers of accounts, in their canonical form.
create table account_threepids (
  user_nid     bigint not null,
  medium       text not null,
  address      text not null,
  validated_ts bigint not null,
  added_ts     bigint not null,
  primary key (user_nid, medium, address)
);
create unique index account_threepids_address on account_threepids (medium, address);

-- displayname, avatar_url, m.tz and further fields; values are JSON text.
create table profile_fields (
  user_nid bigint not null,
  field    text not null,
  value    text not null,
  primary key (user_nid, field)
);

-- Addresses that accounts were used from. Removed when too old.
create table account_connections (
  user_nid     bigint not null,
  -- 0: a token without a device.
  device_nid   bigint not null,
  ip           text not null,
  user_agent   text not null,
  last_seen_ts bigint not null,
  primary key (user_nid, device_nid, ip)
);
create index account_connections_last_seen on account_connections (last_seen_ts);
