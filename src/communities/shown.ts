import { summaryOf } from '../rooms/module.ts';
import type { CommunityServices } from './access.ts';
import { seesOnlyPublic } from './access.ts';
import type { CommunityRow } from './store/communities.ts';
import { selectMembers, type MemberRow } from './store/members.ts';
import { selectRooms } from './store/rooms.ts';

/** A community as it is shown. Source: CS r0.2 draft, "Groups"; Synapse up to 1.60. */
export const profileOf = (community: CommunityRow) => ({
  name: community.name,
  avatar_url: community.avatarUrl,
  short_description: community.shortDescription,
  long_description: community.longDescription,
  is_public: community.isPublic,
});

const memberOf = (row: MemberRow) => ({
  user_id: row.userId,
  is_privileged: row.isAdmin,
  is_public: row.isPublic,
  ...(row.displayName === null ? {} : { displayname: JSON.parse(row.displayName) as string }),
  ...(row.avatarUrl === null ? {} : { avatar_url: JSON.parse(row.avatarUrl) as string }),
});

export async function membersOf(
  { database }: CommunityServices,
  community: CommunityRow,
  membership: 'join' | 'invite',
) {
  const params = [community.communityNid, membership, seesOnlyPublic(community)] as const;
  return (await database.query(selectMembers, [...params])).map(memberOf);
}

export async function roomsOf({ database }: CommunityServices, community: CommunityRow) {
  const params = [community.communityNid, seesOnlyPublic(community)] as const;
  const rows = await database.query(selectRooms, [...params]);
  return rows.map((row) => ({ ...summaryOf(row), is_public: row.isPublic }));
}
