-- Proofs that mail addresses and phone numbers are somebody's.
-- Locks: none (new tables).

-- A wish to prove that an address is one's own. Known by its id and the client's secret.
create table threepid_sessions (
  session_id    text primary key,
  medium        text not null,
  -- In its canonical form.
  address       text not null,
  client_secret text not null,
  -- The client's count of its attempts: an attempt is sent once.
  send_attempt  bigint not null,
  created_ts    bigint not null,
  -- Null: not proven yet.
  validated_ts  bigint
);
create unique index threepid_sessions_client
  on threepid_sessions (medium, address, client_secret);
create index threepid_sessions_created on threepid_sessions (created_ts);

-- What was sent to the address, as SHA-256. Each mail has its own.
create table threepid_tokens (
  session_id text not null references threepid_sessions on delete cascade,
  token_hash bytea not null,
  -- Where the browser goes afterwards.
  next_link  text,
  expires_ts bigint not null,
  primary key (session_id, token_hash)
);

-- Identity servers that know a user's address or number through this server.
create table threepid_bindings (
  user_nid  bigint not null,
  medium    text not null,
  address   text not null,
  id_server text not null,
  primary key (user_nid, medium, address, id_server)
);
