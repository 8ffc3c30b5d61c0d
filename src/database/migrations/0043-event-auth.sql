-- The auth events of state events by number, so that auth chains are walked without reading events.
-- Made of what events say when a chain is asked for the first time; never changes.
-- Locks: none (new table).

create table event_auth (
  room_nid  bigint not null,
  event_nid bigint not null,
  -- In room versions whose events do not name it, also the create event.
  auth_nids bigint[] not null,
  primary key (room_nid, event_nid)
);
