-- Notices of the server to its users, and terms that users accept.
-- Locks: none (new tables).

-- The room in which a user gets the server's notices.
create table server_notice_rooms (
  user_nid bigint primary key,
  room_nid bigint not null unique
);

-- The newest version of the terms that a user has accepted, and has been told of.
create table user_consents (
  user_nid         bigint primary key,
  accepted_version text,
  accepted_ts      bigint,
  notified_version text
);
