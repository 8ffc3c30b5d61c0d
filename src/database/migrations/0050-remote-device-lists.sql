-- Devices of users of other servers.
-- Locks: memberships, while the index is built.

create sequence remote_device_list_versions;

-- Users whose devices are followed. Their cross-signing keys stand with those of other users.
create table remote_device_lists (
  user_nid  bigint primary key,
  -- Of the newest change that is in the list, as the user's server counts; null: not known.
  stream_id bigint,
  -- Something was missed: the list is not to be believed until it has been fetched again.
  is_stale  boolean not null,
  -- Where the stream was when the list was asked for. What has changed since is known as long as a
  -- room has been shared from there on.
  since_pos bigint not null,
  -- Another one with each change of the list or of the user's keys.
  version   bigint not null
);

create table remote_device_keys (
  user_nid     bigint not null,
  device_id    text not null,
  -- JSON text without `unsigned`.
  keys         text not null,
  display_name text,
  primary key (user_nid, device_id)
);

-- Whether users of this server are in a room, and since when.
create index memberships_local on memberships (room_nid, pos)
  where membership = 'join' and is_local;
