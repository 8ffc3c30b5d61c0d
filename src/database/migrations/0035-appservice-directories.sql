-- The room directories of application services, one for each network they lead to.
-- Locks: writes to rooms, for a moment (trigger).

create table appservice_directories (
  appservice_id text not null,
  network_id    text not null,
  room_nid      bigint not null,
  primary key (appservice_id, network_id, room_nid)
);
create index appservice_directories_room on appservice_directories (room_nid);

create function appservice_directories_room_deleted() returns trigger language plpgsql as $$
begin
  delete from appservice_directories where room_nid = old.room_nid;
  return null;
end $$;
create trigger appservice_directories_room_deleted after delete on rooms
  for each row execute function appservice_directories_room_deleted();
