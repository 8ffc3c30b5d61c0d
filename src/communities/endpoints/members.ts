import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { administered, find, readable, type CommunityServices } from '../access.ts';
import { membersOf } from '../shown.ts';
import { deleteMember, updatePublicity, upsertMember } from '../store/members.ts';

const declare = endpoint<CommunityServices>();
const runsOn = { group: 'main', balance: 'none' } as const;
const source = 'CS r0.2 draft, "Groups"';

const getUsers = declare({
  operation: 'getGroupUsers',
  method: 'GET',
  paths: clientPaths('/groups/:groupId/users'),
  auth: 'guest',
  runsOn,
  deprecated: true,
  summary: 'The users of a community',
  source,
  async handle({ params, requester }, services) {
    const community = await readable(services, params['groupId']!, requester);
    const chunk = await membersOf(services, community, 'join');
    return { chunk, total_user_count_estimate: chunk.length };
  },
});

const getInvitedUsers = declare({
  operation: 'getGroupInvitedUsers',
  method: 'GET',
  paths: clientPaths('/groups/:groupId/invited_users'),
  auth: 'guest',
  runsOn,
  deprecated: true,
  summary: 'Who is invited to a community; for its members',
  source,
  async handle({ params, requester }, services) {
    const community = await find(services, params['groupId']!, requester.userNid);
    if (community.membership !== 'join') {
      throw new MatrixError('M_FORBIDDEN', 'User not in group');
    }
    const chunk = await membersOf(services, community, 'invite');
    return { chunk, total_user_count_estimate: chunk.length };
  },
});

const inviteUser = declare({
  operation: 'inviteUserToGroup',
  method: 'PUT',
  paths: clientPaths('/groups/:groupId/admin/users/invite/:userId'),
  auth: 'user',
  runsOn,
  deprecated: true,
  summary: 'Invites a user to a community',
  source,
  bodyMode: 'optional',
  async handle({ params, requester }, services) {
    const { communityNid } = await administered(services, params['groupId']!, requester);
    const userNid = await services.localUser(params['userId']!);
    const sinceTs = services.clock.now();
    const [member] = await services.database.query(upsertMember, [
      userNid,
      communityNid,
      'invite',
      sinceTs,
    ]);
    if (member!.membership === 'join') {
      throw new MatrixError('M_UNKNOWN', 'User already in group');
    }
    return { state: 'invite' };
  },
});

const removeUser = declare({
  operation: 'removeUserFromGroup',
  method: 'PUT',
  paths: clientPaths('/groups/:groupId/admin/users/remove/:userId'),
  auth: 'user',
  runsOn,
  deprecated: true,
  summary: 'Takes a user out of a community, or an invite back',
  source,
  bodyMode: 'optional',
  async handle({ params, requester }, services) {
    const { communityNid } = await administered(services, params['groupId']!, requester);
    const userNid = await services.localUser(params['userId']!);
    await services.database.query(deleteMember, [userNid, communityNid]);
    return {};
  },
});

/** Joining an open community, and accepting an invite, are the same but for what they need. */
const enter = (['join', 'accept_invite'] as const).map((action) =>
  declare({
    operation: action === 'join' ? 'joinGroup' : 'acceptGroupInvite',
    method: 'PUT',
    paths: clientPaths(`/groups/:groupId/self/${action}`),
    auth: 'user',
    runsOn,
    deprecated: true,
    summary: action === 'join' ? 'Joins an open community' : 'Accepts an invite to a community',
    source,
    bodyMode: 'optional',
    errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
    async handle({ params, requester }, services) {
      const community = await find(services, params['groupId']!, requester.userNid);
      const { communityNid, membership, joinPolicy } = community;
      const isOpen = action === 'join' && joinPolicy === 'open';
      if (membership === null && !isOpen) {
        throw new MatrixError(
          'M_FORBIDDEN',
          action === 'join' ? 'Group is not publicly joinable' : 'User not invited to group',
        );
      }
      const sinceTs = services.clock.now();
      const values = [requester.userNid, communityNid, 'join', sinceTs] as const;
      await services.database.query(upsertMember, [...values]);
      return {};
    },
  }),
);

const leave = declare({
  operation: 'leaveGroup',
  method: 'PUT',
  paths: clientPaths('/groups/:groupId/self/leave'),
  auth: 'user',
  runsOn,
  deprecated: true,
  summary: 'Leaves a community, or rejects an invite to it',
  source,
  bodyMode: 'optional',
  async handle({ params, requester }, services) {
    const { communityNid } = await find(services, params['groupId']!, requester.userNid);
    await services.database.query(deleteMember, [requester.userNid, communityNid]);
    return {};
  },
});

const publicise = declare({
  operation: 'updateGroupPublicity',
  method: 'PUT',
  paths: clientPaths('/groups/:groupId/self/update_publicity'),
  auth: 'user',
  runsOn,
  deprecated: true,
  summary: 'Shows a community beside the own name, or no longer',
  source,
  body: Type.Object({ publicise: Type.Boolean() }),
  async handle({ params, body, requester }, services) {
    const { communityNid } = await find(services, params['groupId']!, requester.userNid);
    const { database } = services;
    await database.query(updatePublicity, [requester.userNid, communityNid, body.publicise]);
    return {};
  },
});

export const memberEndpoints = [
  getUsers,
  getInvitedUsers,
  inviteUser,
  removeUser,
  ...enter,
  leave,
  publicise,
];
