-- Devices without a session, which collect keys for a user until another device takes over.
-- Locks: `devices` exclusively, for an instant: the new column is not written to the rows.

alter table devices add column is_dehydrated boolean not null default false;

create table dehydrated_devices (
  user_nid    bigint primary key,
  device_nid  bigint not null,
  device_id   text not null,
  -- JSON text, encrypted by the user's client.
  device_data text not null
);
