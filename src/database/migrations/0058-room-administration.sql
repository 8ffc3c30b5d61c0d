-- What admins do with rooms: blocking, deleting, and deleting what is old.
-- Locks: account_data, while its index is built.

-- Rooms that nobody may come into, known here or not. rooms.is_blocked says it of those that are.
create table blocked_rooms (
  room_id    text primary key,
  -- User id of the admin.
  blocked_by text not null,
  blocked_ts bigint not null
);

-- Rooms that were taken away: they are unknown since, and their rows are deleted bit by bit.
create table removed_rooms (
  room_nid   bigint primary key,
  room_id    text not null,
  -- The stream position at which.
  pos        bigint not null,
  removed_ts bigint not null,
  -- Users of this server who were ever in it.
  local_nids bigint[] not null,
  -- When the last row was deleted; null: there may be some.
  purged_ts  bigint
);
create index removed_rooms_pos on removed_rooms (pos);
create index removed_rooms_room on removed_rooms (room_id);

-- What users have set for a room that goes.
create index account_data_room on account_data (room_nid) where room_nid <> 0;

-- Work on rooms that takes long, until a while after its end.
create table room_jobs (
  job_id     text primary key,
  -- 'delete', 'purge_forgotten' or 'purge_history'.
  kind       text not null,
  room_id    text not null,
  -- Of the role that does it, by room.
  shard      smallint not null,
  -- 'scheduled', 'active', 'complete' or 'failed'.
  status     text not null default 'scheduled',
  created_ts bigint not null,
  -- Not to be begun before.
  due_ts     bigint not null,
  ended_ts   bigint,
  -- JSON text: what is wanted, and how far it is.
  params     text not null,
  progress   text not null default '{}',
  -- Why it failed.
  error      text
);
create index room_jobs_due on room_jobs (shard, due_ts) where ended_ts is null;
create index room_jobs_room on room_jobs (room_id, kind);
create index room_jobs_ended on room_jobs (ended_ts) where ended_ts is not null;

-- When the purge jobs of the retention policies ran last, by the span of lifetimes that they are for.
create table retention_runs (
  job    text primary key,
  ran_ts bigint not null
);
