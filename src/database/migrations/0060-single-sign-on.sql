-- Single sign-on: what browsers are in the middle of, which devices came in by which session at a provider, and which pictures came from there.
-- Locks: login_tokens, for a column without a default.

-- Sessions of browsers, kept here so that any process takes the next step. Short-lived.
create table sso_sessions (
  session_id     text primary key,
  -- SHA-256 of the cookie of the browser; it alone may go on.
  browser_hash   bytea not null,
  -- `sign_in`: at the provider. `new_user`: chooses a name, accepts terms.
  kind           text not null,
  -- JSON text.
  content        text not null,
  valid_until_ts bigint not null
);
create index sso_sessions_expiry on sso_sessions (valid_until_ts);

-- Devices that are logged out when the provider ends the session.
create table device_auth_sessions (
  auth_provider         text not null,
  auth_provider_session text not null,
  user_nid              bigint not null,
  device_id             text not null,
  primary key (auth_provider, auth_provider_session, user_nid, device_id)
);
create index device_auth_sessions_device on device_auth_sessions (user_nid, device_id);

-- Pictures of users that came from providers, so that the same one is not kept anew at each log-in.
create table sso_pictures (
  user_nid   bigint primary key,
  sha256     bytea not null,
  avatar_url text not null
);

-- What the log-in is answered with besides, as JSON text.
alter table login_tokens add column extra_attributes text;
create index login_tokens_auth_session
  on login_tokens (auth_provider_id, auth_provider_session_id)
  where auth_provider_session_id is not null;
