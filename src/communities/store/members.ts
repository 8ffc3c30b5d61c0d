import { statement } from '../../database/statement.ts';

export interface MemberRow {
  userId: string;
  isAdmin: boolean;
  isPublic: boolean;
  /** JSON texts; null: not set. */
  displayName: string | null;
  avatarUrl: string | null;
}

/** Members that one answer holds; there is no paging in this API. */
const membersMax = 1_000;

/** `onlyPublic`: for those who are not members themselves. */
export const selectMembers = statement<
  [communityNid: number, membership: string, onlyPublic: boolean],
  MemberRow
>(
  'communities.members',
  `select u.user_id as "userId", m.is_admin as "isAdmin", m.is_public as "isPublic",
     d.value as "displayName", a.value as "avatarUrl"
   from community_members m join users u on u.user_nid = m.user_nid
     left join profile_fields d on d.user_nid = m.user_nid and d.field = 'displayname'
     left join profile_fields a on a.user_nid = m.user_nid and a.field = 'avatar_url'
   where m.community_nid = $1 and m.membership = $2 and (m.is_public or not $3)
   order by m.since_ts, m.user_nid limit ${membersMax}`,
);

/** Invites, or with `membership` join lets in. Never makes an invite of a member. */
export const upsertMember = statement<
  [userNid: number, communityNid: number, membership: string, sinceTs: number],
  { membership: string }
>(
  'communities.set_member',
  `insert into community_members (user_nid, community_nid, membership, since_ts)
   values ($1, $2, $3, $4)
   on conflict (user_nid, community_nid) do update set membership =
     case when community_members.membership = 'join' then 'join' else excluded.membership end
   returning membership`,
);

/** No row: the user is neither member nor invited. */
export const deleteMember = statement<
  [userNid: number, communityNid: number],
  { membership: string }
>(
  'communities.remove_member',
  `with gone as (
     delete from community_members where user_nid = $1 and community_nid = $2
     returning membership, community_nid
   ), featured as (
     delete from community_featured
     where community_nid = $2 and kind = 'user'
       and target = (select user_id from users where user_nid = $1)
   )
   select membership from gone`,
);

export const deleteMemberships = statement<[userNid: number], object>(
  'communities.remove_from_all',
  `with featured as (
     delete from community_featured
     where kind = 'user' and target = (select user_id from users where user_nid = $1)
   )
   delete from community_members where user_nid = $1`,
);

export const updatePublicity = statement<
  [userNid: number, communityNid: number, isPublicised: boolean],
  object
>(
  'communities.set_publicity',
  `update community_members set is_publicised = $3
   where user_nid = $1 and community_nid = $2 and membership = 'join'`,
);

export const selectJoined = statement<[userNid: number], { communityId: string }>(
  'communities.joined',
  `select c.community_id as "communityId"
   from community_members m join communities c on c.community_nid = m.community_nid
   where m.user_nid = $1 and m.membership = 'join' order by m.since_ts, c.community_nid`,
);

/** Users, and the communities they show beside their names. */
export const selectPublicised = statement<
  [userIds: string[]],
  { userId: string; communityId: string }
>(
  'communities.publicised',
  `select u.user_id as "userId", c.community_id as "communityId"
   from users u join community_members m on m.user_nid = u.user_nid
     join communities c on c.community_nid = m.community_nid
   where u.user_id = any($1) and m.membership = 'join' and m.is_publicised
   order by m.since_ts, c.community_nid`,
);
