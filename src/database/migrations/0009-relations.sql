-- Relations between events, indexed by the event that others refer to.
-- Locks: none (new tables).

-- Accepted events of the timeline whose content has `m.relates_to` with a rel_type and an event id.
-- The event referred to need not be known. A redacted event has no row: it relates to nothing.
create table event_relations (
  room_nid   bigint not null,
  event_nid  bigint not null,
  parent_id  text not null,
  rel_type   text not null,
  -- The `key` of an annotation.
  key        text,
  type_nid   integer not null,
  sender_nid bigint not null,
  -- The event's place in the timeline; see events.
  pos        bigint not null,
  sub        integer not null,
  primary key (room_nid, event_nid)
);
create index event_relations_parent on event_relations (room_nid, parent_id, rel_type, pos, sub);
-- Who takes part in a thread.
create index event_relations_participants on event_relations (room_nid, parent_id, sender_nid)
  where rel_type = 'm.thread';

-- Threads by their root, with the place of the newest event in them.
create table threads (
  room_nid    bigint not null,
  root_id     text not null,
  event_count integer not null,
  last_pos    bigint not null,
  last_sub    integer not null,
  primary key (room_nid, root_id)
);
create index threads_newest on threads (room_nid, last_pos, last_sub);
