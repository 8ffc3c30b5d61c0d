-- Keys that other servers sign with.
-- Locks: none (new tables).

create table server_keys (
  server_name    text not null,
  -- `ed25519:` and a version.
  key_id         text not null,
  -- Unpadded base64.
  public_key     text not null,
  -- Milliseconds since 1970. Keys that a server no longer publishes stay, for events from their time.
  valid_until_ts bigint not null,
  primary key (server_name, key_id)
);

-- The newest answer of each server, word for word, as a notary passes it on.
create table server_key_answers (
  server_name    text primary key,
  answer         text not null,
  valid_until_ts bigint not null
);
