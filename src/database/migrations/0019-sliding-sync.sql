-- What clients of sliding sync have been sent.
-- Locks: none (new table).

-- Unlogged: it is written often, and a client whose connection is lost begins a new one. After a
-- crash of the database the table is empty.
create unlogged table sliding_sync_connections (
  user_nid   bigint not null,
  -- 0: a token without a device.
  device_nid bigint not null,
  conn_id    text not null,
  -- Grows with each state. The state before the newest is kept for clients that ask again.
  state_id   bigint not null,
  -- JSON text; see ConnectionState.
  state      text not null,
  written_ts bigint not null,
  primary key (user_nid, device_nid, conn_id, state_id)
);
create index sliding_sync_connections_written on sliding_sync_connections (written_ts);
