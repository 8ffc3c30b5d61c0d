-- What users have reported to the admins.
-- Locks: none (new table).

create table reports (
  report_nid   bigint generated always as identity primary key,
  -- event, room or user.
  kind         text not null,
  reporter_nid bigint not null,
  -- Of events and rooms.
  room_nid     bigint,
  event_id     text,
  -- The sender of the event, or the user reported.
  target_nid   bigint,
  reason       text,
  -- From -100, most offensive, to 0; only older clients send one.
  score        integer,
  received_ts  bigint not null
);
create index reports_kind on reports (kind, report_nid);
