-- Search in messages: what can be searched for, kept by a job that follows the timeline.
-- Locks: none (new tables).

create table searchable_events (
  room_nid   bigint not null,
  event_nid  bigint not null,
  -- 1: content.body of m.room.message; 2: content.name of m.room.name; 3: content.topic of m.room.topic.
  field      smallint not null,
  sender_nid bigint not null,
  -- The event's place in the timeline; see events.
  pos        bigint not null,
  sub        integer not null,
  -- Its words, without positions, and `@` with the number of its room: so that a search within few
  -- rooms looks at nothing else.
  words      tsvector not null,
  primary key (room_nid, event_nid)
);
create index searchable_events_words on searchable_events using gin (words);

-- Up to which position the timeline has been looked at. One row.
create table search_cursor (
  is_only boolean primary key default true check (is_only),
  pos     bigint not null
);
insert into search_cursor (pos) values (0);
