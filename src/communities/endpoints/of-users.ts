import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import type { CommunityServices } from '../access.ts';
import { selectJoined, selectPublicised } from '../store/members.ts';

const declare = endpoint<CommunityServices>();
const runsOn = { group: 'client', balance: 'none' } as const;
const source = 'CS r0.2 draft, "Groups"';

/** Users asked of at once: those on a screen. */
const usersMax = 1_000;

/** For each user the communities that the user shows. */
async function publicised(
  { database }: CommunityServices,
  userIds: readonly string[],
): Promise<Record<string, string[]>> {
  const users: Record<string, string[]> = Object.fromEntries(userIds.map((id) => [id, []]));
  const rows = await database.query(selectPublicised, [[...userIds]]);
  for (const { userId, communityId } of rows) users[userId]!.push(communityId);
  return users;
}

const joined = declare({
  operation: 'getJoinedGroups',
  method: 'GET',
  paths: clientPaths('/joined_groups'),
  auth: 'guest',
  runsOn,
  deprecated: true,
  summary: 'The communities the user belongs to',
  source,
  async handle({ requester }, { database }) {
    const rows = await database.query(selectJoined, [requester.userNid]);
    return { groups: rows.map(({ communityId }) => communityId) };
  },
});

const publicisedOfUser = declare({
  operation: 'getPublicisedGroupsOfUser',
  method: 'GET',
  paths: clientPaths('/publicised_groups/:userId'),
  auth: 'guest',
  runsOn,
  deprecated: true,
  summary: 'The communities a user shows beside the name',
  source,
  async handle({ params }, services) {
    const userId = params['userId']!;
    return { groups: (await publicised(services, [userId]))[userId] };
  },
});

const body = Type.Object({ user_ids: Type.Array(Type.String(), { maxItems: usersMax }) });

const publicisedOfUsers = declare({
  operation: 'getPublicisedGroups',
  method: 'POST',
  paths: clientPaths('/publicised_groups'),
  auth: 'guest',
  runsOn,
  deprecated: true,
  summary: 'The same of several users',
  source,
  body,
  handle: async ({ body: { user_ids: userIds } }, services) => ({
    users: await publicised(services, userIds),
  }),
});

const publicisedForServers = declare({
  operation: 'getPublicisedGroupsForServers',
  method: 'POST',
  paths: ['/_matrix/federation/v1/get_groups_publicised'],
  auth: 'server',
  resource: 'federation',
  runsOn: { group: 'federation', balance: 'none' },
  deprecated: true,
  summary: 'The same for other servers',
  source: 'SS r0.1 draft, "Groups"',
  body,
  handle: async ({ body: { user_ids: userIds } }, services) => ({
    users: await publicised(services, userIds),
  }),
});

export const ofUsersEndpoints = [joined, publicisedOfUser, publicisedOfUsers, publicisedForServers];
