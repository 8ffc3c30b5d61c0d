-- What users keep on the server for themselves: account data and filters.
-- Locks: none (new tables).

-- Current account data, global and of rooms. Tags are the room account data `m.tag`. The global
-- `m.push_rules` holds what differs from the default rules, not the wire format. A deletion stays
-- as a row with null content, so that the user's devices learn of it.
create table account_data (
  user_nid bigint not null,
  -- 0: global.
  room_nid bigint not null,
  type     text not null,
  -- JSON text; null: deleted.
  content  text,
  -- The position of the last change.
  pos      bigint not null,
  primary key (user_nid, room_nid, type)
);
create index account_data_changes on account_data (user_nid, pos);

create table filters (
  user_nid    bigint not null,
  filter_nid  bigint generated always as identity,
  -- SHA-256 of the canonical JSON: the same filter is stored once per user.
  filter_hash bytea not null,
  filter      text not null,
  primary key (user_nid, filter_nid)
);
create unique index filters_hash on filters (user_nid, filter_hash);
