-- Pushers: where users want to be told of events, and what they are still to be told.
-- Locks: none (new tables).

create table pushers (
  pusher_nid          bigint generated always as identity primary key,
  user_nid            bigint not null,
  -- The shard of the role `pusher` that the user belongs to.
  shard               smallint not null,
  app_id              text not null,
  pushkey             text not null,
  -- http or email.
  kind                text not null,
  app_display_name    text not null,
  device_display_name text not null,
  profile_tag         text,
  lang                text not null,
  -- JSON text.
  data                text not null,
  -- The access token that made it; null: none did.
  token_nid           bigint,
  device_nid          bigint,
  created_ts          bigint not null,
  -- Notifications up to here are done with.
  pos                 bigint not null,
  -- Events after it are still to be judged for the user; null: they are judged with the shard's.
  start_pos           bigint,
  last_success_ts     bigint,
  failing_since_ts    bigint
);
create unique index pushers_key on pushers (app_id, pushkey, user_nid);
create index pushers_user on pushers (user_nid);
create index pushers_shard on pushers (shard);

-- What users with pushers are to be told, as their push rules were when the event came. Removed
-- after a while.
create table push_notifications (
  user_nid  bigint not null,
  pos       bigint not null,
  room_nid  bigint not null,
  event_nid bigint not null,
  -- Root of the event's thread; null: the main timeline.
  thread_id text,
  -- JSON text: an array of actions.
  actions   text not null,
  -- When it was judged, in milliseconds since 1970.
  ts        bigint not null,
  primary key (user_nid, pos)
);
create index push_notifications_ts on push_notifications (ts);

-- How far the events have been judged for the users of a shard.
create table push_progress (
  shard smallint primary key,
  pos   bigint not null
);

-- When a pusher was last mailed about a room, and how long it is left alone since.
create table push_mail_throttles (
  pusher_nid   bigint not null,
  room_nid     bigint not null,
  last_sent_ts bigint not null,
  throttle_ms  bigint not null,
  primary key (pusher_nid, room_nid)
);
