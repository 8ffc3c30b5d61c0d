-- Accounts that expire unless they are renewed (`account_validity`).
-- Locks: writes of `accounts` while the index is made; it is empty where accounts do not expire.

create index accounts_valid_until on accounts (valid_until_ts, user_nid)
  where valid_until_ts is not null and not is_deactivated;

create table account_renewals (
  user_nid    bigint primary key,
  -- SHA-256 of the token in the newest mail; null: no mail, an admin has renewed the account.
  token_hash  bytea,
  -- When it was used; a second use changes nothing.
  used_ts     bigint,
  -- The end of the validity of which the user was told: for another end there is another mail.
  told_of_ts  bigint
);
create unique index account_renewals_token on account_renewals (token_hash)
  where token_hash is not null;
