-- Events that are shown to those who join or have been away, until they expire (MSC4354).
-- Locks: none (new table).

create table sticky_events (
  room_nid   bigint not null,
  event_nid  bigint not null,
  -- The event's place in the timeline.
  pos        bigint not null,
  -- Milliseconds since 1970.
  expires_ts bigint not null,
  primary key (room_nid, event_nid)
);
create index sticky_events_changes on sticky_events (room_nid, pos);
create index sticky_events_expiry on sticky_events (expires_ts);
