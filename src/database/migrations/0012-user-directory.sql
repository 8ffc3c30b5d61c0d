-- The user directory: who can be found by which words.
-- Locks: the new index on room_state keeps writers of state waiting while it is built.

-- Changed state, in the order in which it changed: what the directory follows.
create index room_state_by_pos on room_state (from_pos);

-- Everybody who may be found by somebody. Local users are in it from their registration; users of
-- other servers while they are in a room with a local one.
create table user_directory (
  user_nid     bigint primary key,
  user_id      text not null,
  display_name text,
  avatar_url   text,
  is_local     boolean not null,
  is_locked    boolean not null default false,
  -- In a public room: everybody finds them.
  is_public    boolean not null default false
);

-- The words a user is found by. `C` order, so that a prefix is a range.
create table user_directory_words (
  word      text collate "C" not null,
  user_nid  bigint not null,
  is_local  boolean not null,
  is_public boolean not null,
  primary key (user_nid, word)
);
create index user_directory_words_word on user_directory_words (word, user_nid)
  include (is_local, is_public);
create index user_directory_words_public on user_directory_words (word, user_nid)
  include (is_local) where is_public;

-- Rooms whose join rule is `public` or whose history the world may read.
create table user_directory_public_rooms (
  room_nid bigint primary key
);

-- Users whose entries are to be made again. A user may wait several times.
create table user_directory_queue (
  queue_nid bigint generated always as identity primary key,
  user_nid  bigint not null
);

-- Up to which position changed state has been looked at. One row.
create table user_directory_cursor (
  is_only boolean primary key default true check (is_only),
  pos     bigint not null
);
insert into user_directory_cursor (pos) values (0);

-- Names and accounts are written in many places, each of which would have to remember the
-- directory; this way the change and the note of it are one transaction.
create function note_for_user_directory() returns trigger language plpgsql as $$
begin
  insert into user_directory_queue (user_nid)
    values (case when tg_op = 'DELETE' then old.user_nid else new.user_nid end);
  return null;
end $$;

create trigger user_directory_profile after insert or update on profile_fields for each row
  when (new.field in ('displayname', 'avatar_url')) execute function note_for_user_directory();
create trigger user_directory_profile_removed after delete on profile_fields for each row
  when (old.field in ('displayname', 'avatar_url')) execute function note_for_user_directory();
create trigger user_directory_account_made after insert on accounts for each row
  execute function note_for_user_directory();
create trigger user_directory_account
  after update of is_deactivated, is_locked, user_type on accounts for each row
  when (old.is_deactivated <> new.is_deactivated or old.is_locked <> new.is_locked
    or old.user_type is distinct from new.user_type)
  execute function note_for_user_directory();

-- Members come from the state since position 0; accounts without a room come from here.
insert into user_directory_queue (user_nid) select user_nid from accounts;
