-- Media, their thumbnails, and previews of links.
-- Locks: none (new tables).
-- Contents are kept outside, by the SHA-256 of their bytes; several rows may have the same content.

create table media (
  -- The server; empty for media of this server's own.
  origin            text not null,
  media_id          text not null,
  -- Who uploaded it; null for copies of other servers' media, and for images of previews.
  user_nid          bigint,
  created_ts        bigint not null,
  -- The four are null until there is a content.
  sha256            bytea,
  bytes             bigint,
  content_type      text,
  file_name         text,
  -- Until when something can be uploaded to a new id; null when that has been done.
  unused_expires_ts bigint,
  -- To the hour or so; null when nobody has looked at it.
  last_access_ts    bigint,
  -- Only served to those who have an account.
  is_authenticated  boolean not null,
  -- Exempt from quarantine.
  is_protected      boolean not null default false,
  -- The admin's user id.
  quarantined_by    text,
  -- An image of a preview, kept as long as that.
  is_preview        boolean not null default false,
  primary key (origin, media_id)
);
create index media_by_user on media (user_nid, created_ts) include (bytes)
  where user_nid is not null;
create index media_by_content on media (sha256) where sha256 is not null;
create index media_unused on media (unused_expires_ts) where unused_expires_ts is not null;
create index media_previews on media (created_ts) where is_preview;

create table media_thumbnails (
  origin       text not null,
  media_id     text not null,
  width        integer not null,
  height       integer not null,
  -- crop or scale.
  method       text not null,
  is_animated  boolean not null,
  content_type text not null,
  bytes        bigint not null,
  sha256       bytea not null,
  primary key (origin, media_id, width, height, method, is_animated)
);
create index media_thumbnails_by_content on media_thumbnails (sha256);

-- What an admin has put into quarantine and taken out of it.
create table quarantine_changes (
  change_id      bigint generated always as identity primary key,
  origin         text not null,
  media_id       text not null,
  is_quarantined boolean not null
);

-- A row per time that a link was looked at, so that a client may ask what was there at a time.
create table url_previews (
  -- SHA-256 of the URL and of the languages it was fetched in.
  url_sha256 bytea not null,
  fetched_ts bigint not null,
  expires_ts bigint not null,
  -- JSON text, as clients get it.
  preview    text not null,
  primary key (url_sha256, fetched_ts)
);
create index url_previews_by_expiry on url_previews (expires_ts);
