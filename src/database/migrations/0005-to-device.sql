-- Messages from device to device that have not been fetched yet.
-- Locks: none (new tables).

create table device_inbox (
  user_nid   bigint not null,
  device_nid bigint not null,
  -- The order of arrival.
  pos        bigint not null,
  -- The event as /sync shows it, as JSON text.
  message    text not null,
  primary key (user_nid, device_nid, pos)
);
-- The stream in the order of its positions, for processes that missed rows on the way.
create index device_inbox_by_pos on device_inbox (pos);

-- What devices have sent with which transaction id, so that a retry has its effect once.
create table to_device_transactions (
  user_nid   bigint not null,
  -- 0 for requests without a device.
  device_nid bigint not null,
  event_type text not null,
  txn_id     text not null,
  created_ts bigint not null,
  primary key (user_nid, device_nid, event_type, txn_id)
);
create index to_device_transactions_created on to_device_transactions (created_ts);
