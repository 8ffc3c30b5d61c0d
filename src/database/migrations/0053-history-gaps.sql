-- Where a room's history is incomplete: stretches of it that are fetched from other servers, from the
-- top down, each below an event that others come before which were not known when it came.
-- Locks: events, for the new column and while the index is built.

-- What comes just before this event in the timeline is not known.
alter table events add column has_gap boolean not null default false;

-- A stretch lies below the event `top`: one of the live timeline (top_sub 0), or one in the middle of
-- history that was asked for by its time. Its lowest event is `bottom`, at first the top itself.
-- Stretches stay when they are complete: the states in them begin with the one before the top.
create table history_stretches (
  room_nid    bigint not null,
  pos         bigint not null,
  top_sub     integer not null,
  top_nid     bigint not null,
  bottom_sub  integer not null,
  bottom_nid  bigint not null,
  -- Events that those of the stretch follow, and that are not known; empty: it is complete.
  missing_ids text[] not null,
  primary key (room_nid, pos, top_sub)
);

-- State within stretches, for history visibility.
create index events_fetched_state on events (room_nid, type_nid, state_key)
  where sub < 0 and state_key is not null;

-- Rooms of other servers whose beginning is not known.
with earliest as (
  select distinct on (e.room_nid) e.room_nid, e.event_nid, e.pos, e.sub, e.envelope, e.base_pos,
      e.type_nid
    from events e where e.pos is not null and e.status = 0 order by e.room_nid, e.pos, e.sub),
added as (
  insert into history_stretches
    select x.room_nid, x.pos, 0, t.event_nid, x.sub, x.event_nid, array(
        select case json_typeof(r.value) when 'array' then r.value ->> 0 else r.value #>> '{}' end
          from json_array_elements(x.envelope::json -> 'prev_events') r)
      from earliest x
        join events t on t.room_nid = x.room_nid and t.pos = x.pos and t.sub = 0
      where x.base_pos is not null
        and x.type_nid not in (select type_nid from event_types where event_type = 'm.room.create')
    returning room_nid, bottom_nid)
update events e set has_gap = true from added a
  where e.room_nid = a.room_nid and e.event_nid = a.bottom_nid;
