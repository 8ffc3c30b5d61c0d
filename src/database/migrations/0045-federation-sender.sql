-- Sending to other servers.
-- Locks: users, while the index is built.

-- Every server that something was to be sent to. A row changes when its server fails, or is behind
-- others of its shard.
create table federation_destinations (
  server_name       text primary key,
  -- Of the role that sends.
  shard             smallint not null,
  -- Milliseconds since 1970, and how long it is left alone; null while it answers.
  failing_since_ts  bigint,
  retry_last_ts     bigint,
  retry_interval_ms bigint,
  -- It has everything of ours up to this position; null: up to that of its shard.
  caught_up_pos     bigint,
  -- It is being caught up to this position, and is so in rooms up to this number.
  catch_up_to       bigint,
  catch_up_room     bigint
);
create index federation_destinations_behind on federation_destinations (shard)
  where caught_up_pos is not null;
create index federation_destinations_failing on federation_destinations (retry_last_ts)
  where failing_since_ts is not null;

-- Up to where servers that are not behind have everything.
create table federation_sender_positions (
  shard smallint primary key,
  pos   bigint not null
);

-- Events of other servers that this one sends to others, such as joins that it has let in.
create table federation_passed_on_events (
  pos       bigint primary key,
  room_nid  bigint not null,
  event_nid bigint not null,
  -- Who has it already.
  origin    text not null
);
create index federation_passed_on_events_room on federation_passed_on_events (room_nid, pos);

-- Users of a server: what follows the first colon.
create index users_by_server on users (substr(user_id, strpos(user_id, ':') + 1));

-- The newest change of each device of this server's users, and, without a device, of their
-- cross-signing keys: what other servers are told. prev_pos: of the user's change of a device before.
create table device_changes (
  user_nid  bigint not null,
  is_device boolean not null,
  device_id text not null,
  pos       bigint not null,
  prev_pos  bigint,
  primary key (user_nid, is_device, device_id)
);
create index device_changes_pos on device_changes (pos);

-- Messages to devices of other servers, as EDUs, until they have arrived.
create table to_device_outbox (
  server_name text not null,
  pos         bigint not null,
  -- Milliseconds since 1970.
  created_ts  bigint not null,
  -- JSON text.
  edu         text not null,
  primary key (server_name, pos)
);
create index to_device_outbox_pos on to_device_outbox (pos);
