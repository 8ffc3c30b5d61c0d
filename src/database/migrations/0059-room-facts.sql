-- What lists of rooms for admins are ordered and searched by. Made of the state when a list is asked for.
-- Locks: none (new tables).

create table room_facts (
  room_nid           bigint primary key,
  name               text,
  canonical_alias    text,
  creator            text,
  encryption         text,
  is_federatable     boolean not null,
  join_rules         text,
  guest_access       text,
  history_visibility text
);

-- Up to which position changes of state have been taken in. One row.
create table room_facts_cursor (
  is_only boolean primary key default true check (is_only),
  pos     bigint not null
);
insert into room_facts_cursor (pos) values (0);
