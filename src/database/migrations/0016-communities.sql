-- Communities, also called groups: what spaces replaced. Old clients still ask for them.
-- Locks: none (new tables).

create table communities (
  community_nid     bigint generated always as identity primary key,
  -- `+localpart:server`
  community_id      text not null unique,
  name              text,
  avatar_url        text,
  short_description text,
  long_description  text,
  -- Others than members may look at it.
  is_public         boolean not null default true,
  -- 'invite' or 'open'.
  join_policy       text not null default 'invite',
  created_ts        bigint not null
);

-- Users who belong to a community, or are invited to it.
create table community_members (
  user_nid      bigint not null,
  community_nid bigint not null,
  -- 'join' or 'invite'.
  membership    text not null,
  is_admin      boolean not null default false,
  -- Others than members see that the user belongs to it.
  is_public     boolean not null default true,
  -- The user shows it beside the name.
  is_publicised boolean not null default false,
  since_ts      bigint not null,
  primary key (user_nid, community_nid)
);
create index community_members_community on community_members (community_nid, membership);

create table community_rooms (
  community_nid bigint not null,
  room_nid      bigint not null,
  -- Others than members see it.
  is_public     boolean not null default true,
  primary key (community_nid, room_nid)
);

-- Categories of rooms and roles of users.
create table community_sections (
  community_nid bigint not null,
  -- 'category' or 'role'.
  kind          text not null,
  section_id    text not null,
  -- JSON text.
  profile       text not null,
  is_public     boolean not null default true,
  primary key (community_nid, kind, section_id)
);

-- Rooms and users that the summary shows, each in one section or, with '', in none.
create table community_featured (
  community_nid bigint not null,
  -- 'room' or 'user'.
  kind          text not null,
  -- Room id or user id.
  target        text not null,
  section_id    text not null default '',
  position      integer not null,
  is_public     boolean not null default true,
  primary key (community_nid, kind, section_id, target)
);
