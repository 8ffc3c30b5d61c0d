-- The user directory follows rooms that are deleted, of which no event tells.
-- Locks: a short one on memberships and rooms.

create trigger user_directory_membership_removed after delete on memberships for each row
  when (old.membership = 'join') execute function note_for_user_directory();

create function forget_public_room() returns trigger language plpgsql as $$
begin
  delete from user_directory_public_rooms where room_nid = old.room_nid;
  return null;
end $$;

create trigger user_directory_room_removed after delete on rooms for each row
  execute function forget_public_room();
