-- Read receipts: how far users have read in rooms and threads.
-- Locks: none (new tables).

create table receipts (
  room_nid     bigint not null,
  user_nid     bigint not null,
  -- m.read or m.read.private.
  receipt_type text not null,
  -- Event id of the thread's root, 'main', or '' for a receipt without a thread.
  thread_id    text not null,
  event_id     text not null,
  -- The event's place in the timeline; see events. A receipt never moves to an earlier one.
  event_pos    bigint not null,
  event_sub    integer not null,
  -- When it was sent, in milliseconds since 1970.
  ts           bigint not null,
  -- The position of the last change.
  pos          bigint not null,
  primary key (room_nid, user_nid, receipt_type, thread_id)
);
create index receipts_room_changes on receipts (room_nid, pos);
create index receipts_user_changes on receipts (user_nid, pos);
