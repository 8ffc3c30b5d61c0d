import { statement } from '../../database/statement.ts';

export interface CommunityRow {
  communityNid: number;
  communityId: string;
  name: string | null;
  avatarUrl: string | null;
  shortDescription: string | null;
  longDescription: string | null;
  isPublic: boolean;
  joinPolicy: 'invite' | 'open';
  /** What the reader is in it; null: nothing. */
  membership: 'join' | 'invite' | null;
  isAdmin: boolean | null;
  isPublicised: boolean | null;
}

/** A community as one user sees it; 0: somebody without an account here. */
export const selectCommunity = statement<[communityId: string, readerNid: number], CommunityRow>(
  'communities.find',
  `select c.community_nid as "communityNid", c.community_id as "communityId", c.name,
     c.avatar_url as "avatarUrl", c.short_description as "shortDescription",
     c.long_description as "longDescription", c.is_public as "isPublic",
     c.join_policy as "joinPolicy", m.membership, m.is_admin as "isAdmin",
     m.is_publicised as "isPublicised"
   from communities c
     left join community_members m on m.community_nid = c.community_nid and m.user_nid = $2
   where c.community_id = $1`,
);

/** With its creator as its first member and admin. No row: the id is taken. */
export const insertCommunity = statement<
  [
    communityId: string,
    name: string | null,
    avatarUrl: string | null,
    shortDescription: string | null,
    longDescription: string | null,
    createdTs: number,
    creatorNid: number,
  ],
  { communityNid: number }
>(
  'communities.create',
  `with made as (
     insert into communities
       (community_id, name, avatar_url, short_description, long_description, created_ts)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (community_id) do nothing returning community_nid
   )
   insert into community_members (user_nid, community_nid, membership, is_admin, since_ts)
     select $7, community_nid, 'join', true, $6 from made
   returning community_nid as "communityNid"`,
);

/** Null leaves a member as it is. */
export const updateProfile = statement<
  [
    communityNid: number,
    name: string | null,
    avatarUrl: string | null,
    shortDescription: string | null,
    longDescription: string | null,
  ],
  object
>(
  'communities.set_profile',
  `update communities set name = coalesce($2, name), avatar_url = coalesce($3, avatar_url),
     short_description = coalesce($4, short_description),
     long_description = coalesce($5, long_description)
   where community_nid = $1`,
);

export const updateJoinPolicy = statement<[communityNid: number, policy: string], object>(
  'communities.set_join_policy',
  `update communities set join_policy = $2 where community_nid = $1`,
);
