-- What admins do with users, and long tasks that they start.
-- Locks: access_tokens, while the index is built.

-- Tokens with which an admin acts as others end with the admin's own.
create index access_tokens_puppeteer on access_tokens (puppeteer_nid)
  where puppeteer_nid is not null;

-- By which ids identity providers know the users of this server.
create table account_external_ids (
  auth_provider text not null,
  external_id   text not null,
  user_nid      bigint not null,
  primary key (auth_provider, external_id)
);
create index account_external_ids_user on account_external_ids (user_nid);

-- Proposals that an admin has switched on, or off again, for single users.
create table account_features (
  user_nid   bigint not null,
  feature    text not null,
  is_enabled boolean not null,
  primary key (user_nid, feature)
);

-- Until when users may replace their cross-signing keys by their token alone, in milliseconds since
-- 1970.
create table cross_signing_replacements (
  user_nid bigint primary key,
  until_ts bigint not null
);

-- Long work that is done in the background, by whoever holds its shard.
create table scheduled_tasks (
  task_id     text primary key,
  shard       smallint not null,
  action      text not null,
  -- scheduled, active, complete or failed.
  status      text not null,
  -- When it last changed, in milliseconds since 1970.
  changed_ts  bigint not null,
  -- What it is about: a user, a room. One task of an action is under way for each.
  resource_id text,
  -- JSON text, as are progress and result.
  params      text not null,
  progress    text,
  result      text,
  error       text
);
create index scheduled_tasks_open on scheduled_tasks (shard)
  where status in ('scheduled', 'active');
create unique index scheduled_tasks_resource on scheduled_tasks (action, resource_id)
  where status in ('scheduled', 'active');
create index scheduled_tasks_changed on scheduled_tasks (changed_ts);

-- Whether tasks that bring stored data up to date are done, or wait. One row.
create table background_updates (
  is_only    boolean primary key default true check (is_only),
  is_enabled boolean not null
);
insert into background_updates (is_enabled) values (true);
