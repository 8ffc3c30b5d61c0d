-- Events that are to be sent later (MSC4140).
-- Locks: none (new table).

create table delayed_events (
  delay_id    text primary key,
  -- Of the role that sends them, by room.
  shard       smallint not null,
  user_nid    bigint not null,
  -- 0 for requests without a device.
  device_nid  bigint not null,
  -- The request's transaction, so that its repetition gives the same delay; null for state.
  txn_scope   text,
  txn_id      text,
  room_nid    bigint not null,
  room_id     text not null,
  event_type  text not null,
  -- Null for messages.
  state_key   text,
  -- JSON text; empty once it has been sent or cancelled.
  content     text not null,
  delay_ms    bigint not null,
  -- Milliseconds since 1970: when the delay began last, and when it ends.
  started_ts  bigint not null,
  send_ts     bigint not null,
  -- State that others have set after this position takes the place of what was to be set.
  added_pos   bigint not null,
  -- Somebody is sending it: it can no longer be cancelled.
  is_sending  boolean not null default false,
  -- When it was sent, cancelled or superseded.
  finished_ts bigint
);
create unique index delayed_events_txn on delayed_events (user_nid, device_nid, txn_scope, txn_id)
  where txn_id is not null;
create index delayed_events_due on delayed_events (shard, send_ts) where finished_ts is null;
create index delayed_events_user on delayed_events (user_nid) where finished_ts is null;
create index delayed_events_finished on delayed_events (finished_ts) where finished_ts is not null;
