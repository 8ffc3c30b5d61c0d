-- What two devices of a user tell each other while one signs the other in. It is over within
-- minutes, so that it need not outlive a crash of the database: unlogged.
-- Locks: none (new table).

create unlogged table rendezvous_sessions (
  session_id  text primary key,
  -- The proposal by whose endpoints it is reached: 4108 or 4388.
  protocol    integer not null,
  data        bytea not null,
  -- Grows with every change.
  revision    integer not null default 1,
  modified_ts bigint not null,
  expires_ts  bigint not null
);
create index rendezvous_sessions_expiry on rendezvous_sessions (expires_ts);
