-- Interned ids, rooms, events and their state history.
-- Locks: none (new tables).

-- Every durable stream draws its positions here, inside the transaction that writes the row, so
-- that one number orders everything a client can see.
create sequence stream_position;

-- Interned text. Text ids appear once; hot tables refer to them by number.
create table users (
  user_nid bigint generated always as identity primary key,
  user_id  text not null unique
);

create table event_types (
  type_nid   integer generated always as identity primary key,
  event_type text not null unique
);

create table rooms (
  room_nid        bigint generated always as identity primary key,
  room_id         text not null unique,
  room_version    text not null,
  -- Members by membership, this server's and others'. Changed only by membership events.
  joined_count    integer not null default 0,
  invited_count   integer not null default 0,
  created_ts      bigint not null,
  -- Shown in the room directory.
  is_public       boolean not null default false,
  -- Joins, and everything else, refused by an admin.
  is_blocked      boolean not null default false
);

-- One row per event that is known. The JSON of a PDU is kept as its canonical text in two parts:
-- `content`, and `envelope`, the rest, into which `"content":…,` goes back at offset `content_at`
-- (in UTF-16 code units). Most readers want the content and the columns only.
--
-- event_nid: drawn from stream_position when the event is first stored.
-- (pos, sub): the place in the room's timeline; null for an outlier. A live event has sub 0 and
-- pos = the stream position at which it became visible. Events that fill a gap before the event at
-- pos take that pos and a sub that counts down from -1.
create table events (
  room_nid         bigint not null,
  event_nid        bigint not null,
  pos              bigint,
  sub              integer not null default 0,
  event_id         text not null,
  type_nid         integer not null,
  state_key        text,
  sender_nid       bigint not null,
  origin_server_ts bigint not null,
  depth            bigint not null,
  content          text not null,
  envelope         text not null,
  content_at       integer not null,
  -- JSON text of the members of `unsigned` that are stored, without braces; null when there are none:
  -- prev_content, prev_sender, replaces_state, redacted_because, invite_room_state.
  unsigned         text,
  -- 0 accepted, 1 soft-failed, 2 rejected.
  status           smallint not null default 0,
  -- Device and transaction id of the sender's request, for the echo in `unsigned.transaction_id`.
  device_nid       bigint,
  txn_id           text,
  -- The redaction that emptied this event.
  redacted_by      text,
  -- The event that this redaction names.
  redacts          text,
  -- Set for an event whose prev_events were not the room's extremities: the timeline position whose
  -- state it starts from. Its differing entries are in event_state_differences.
  base_pos         bigint,
  primary key (room_nid, event_nid)
);
create unique index events_event_id on events (event_id, room_nid);
create index events_timeline on events (room_nid, pos, sub) where pos is not null;
-- For timestamp_to_event.
create index events_by_time on events (room_nid, origin_server_ts, pos) where pos is not null;

-- The state before an event on a fork, as differences to the room's state at events.base_pos.
-- entry_nid null: the entry is absent there.
create table event_state_differences (
  room_nid  bigint not null,
  event_nid bigint not null,
  type_nid  integer not null,
  state_key text not null,
  entry_nid bigint,
  primary key (room_nid, event_nid, type_nid, state_key)
);

-- The room's resolved current state as history: the entry holds for from_pos <= p < to_pos.
create table room_state (
  room_nid  bigint not null,
  type_nid  integer not null,
  state_key text not null,
  event_nid bigint not null,
  from_pos  bigint not null,
  to_pos    bigint not null default 9223372036854775807,
  primary key (room_nid, type_nid, state_key, from_pos)
);
create index room_state_current on room_state (room_nid, type_nid, state_key)
  include (event_nid) where to_pos = 9223372036854775807;
create index room_state_changes on room_state (room_nid, from_pos);

-- Forward extremities of a room, only while they are not simply its newest event.
create table room_extremities (
  room_nid  bigint not null,
  event_nid bigint not null,
  primary key (room_nid, event_nid)
);

-- The current membership of every user in every room: by user for sync, by room for fan-out.
-- pos: of the membership change. is_local: the user is this server's.
create table memberships (
  user_nid     bigint not null,
  room_nid     bigint not null,
  membership   text not null,
  event_nid    bigint not null,
  pos          bigint not null,
  sender_nid   bigint not null,
  is_local     boolean not null,
  is_forgotten boolean not null default false,
  primary key (user_nid, room_nid)
);
create index memberships_room on memberships (room_nid, membership) include (user_nid, is_local);

-- What a device has sent with which transaction id, so that a retry has its effect once.
create table sent_transactions (
  user_nid   bigint not null,
  -- 0 for requests without a device.
  device_nid bigint not null,
  -- The scope the id counts in: the endpoint and its path parameters.
  scope      text not null,
  txn_id     text not null,
  event_id   text not null,
  created_ts bigint not null,
  primary key (user_nid, device_nid, txn_id, scope)
);
create index sent_transactions_created on sent_transactions (created_ts);

-- Aliases of this server.
create table room_aliases (
  alias       text primary key,
  room_nid    bigint not null,
  creator_nid bigint not null
);
create index room_aliases_room on room_aliases (room_nid);
