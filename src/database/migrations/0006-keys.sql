-- Keys of devices and users for end-to-end encryption.
-- Locks: none (new tables).

create table device_keys (
  user_nid   bigint not null,
  device_nid bigint not null,
  -- Canonical JSON text, with the device's own signatures, without `unsigned`.
  keys       text not null,
  primary key (user_nid, device_nid)
);

-- Given out in the order of key_nid. The same key id twice is prevented by the statement that adds
-- keys, under a lock for the device: a second index would cost as much as all the rest.
create table one_time_keys (
  user_nid   bigint not null,
  device_nid bigint not null,
  algorithm  text not null,
  key_nid    bigint generated always as identity,
  key_id     text not null,
  -- Canonical JSON text without `signatures`, which may differ when a key is uploaded again.
  body       text not null,
  -- JSON text; null when there are none.
  signatures text,
  primary key (user_nid, device_nid, algorithm, key_nid)
);

create table fallback_keys (
  user_nid   bigint not null,
  device_nid bigint not null,
  algorithm  text not null,
  key_id     text not null,
  body       text not null,
  signatures text,
  is_used    boolean not null default false,
  primary key (user_nid, device_nid, algorithm)
);

create table cross_signing_keys (
  user_nid   bigint not null,
  -- master, self_signing or user_signing.
  usage      text not null,
  -- Unpadded base64.
  public_key text not null,
  -- Canonical JSON text as uploaded.
  key        text not null,
  primary key (user_nid, usage)
);

-- Signatures that were uploaded apart from what they sign.
create table key_signatures (
  signer_nid bigint not null,
  -- The signing key: ed25519:…
  key_id     text not null,
  target_nid bigint not null,
  -- Device id, or public key of a master key.
  target_id  text not null,
  signature  text not null,
  -- The last change; set for signatures on others' keys, which only the signer is shown.
  pos        bigint,
  primary key (target_nid, signer_nid, target_id, key_id)
);
create index key_signatures_signer on key_signatures (signer_nid, pos) where pos is not null;
create index key_signatures_by_pos on key_signatures (pos) where pos is not null;

-- When what others see of a user's devices and keys last changed.
create table device_list_changes (
  user_nid bigint primary key,
  pos      bigint not null
);
create index device_list_changes_by_pos on device_list_changes (pos);
