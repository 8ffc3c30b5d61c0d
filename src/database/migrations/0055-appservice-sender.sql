-- What application services have been sent.
-- Locks: none (new table).

create table appservice_progress (
  appservice_id    text primary key,
  -- It has everything up to here.
  pos              bigint not null,
  -- Of the newest transaction; grows.
  txn_id           bigint not null,
  -- The transaction that is under way: what it brings reaches up to this position. Null: none is.
  txn_pos          bigint,
  -- Its events, in order, and its other members as JSON text without braces.
  txn_room_nids    bigint[],
  txn_event_nids   bigint[],
  txn_rest         text,
  -- Milliseconds since 1970; null while it answers.
  failing_since_ts bigint
);
