import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { administered, isCommunityId, readable, type CommunityServices } from '../access.ts';
import { profileOf } from '../shown.ts';
import { insertCommunity, updateJoinPolicy, updateProfile } from '../store/communities.ts';

const declare = endpoint<CommunityServices>();
const runsOn = { group: 'main', balance: 'none' } as const;
const source = 'CS r0.2 draft, "Groups"';

const optionalText = Type.Optional(Type.Union([Type.String({ maxLength: 20_000 }), Type.Null()]));
const profile = Type.Object({
  name: optionalText,
  avatar_url: optionalText,
  short_description: optionalText,
  long_description: optionalText,
});

const createGroup = declare({
  operation: 'createGroup',
  method: 'POST',
  paths: clientPaths('/create_group'),
  auth: 'user',
  runsOn,
  deprecated: true,
  summary: 'Makes a community',
  source,
  body: Type.Object({ localpart: Type.String(), profile: Type.Optional(profile) }),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM', 'M_UNKNOWN'],
  async handle({ body, requester }, { database, clock, config }) {
    const { localpart } = body;
    if (!requester.isAdmin) {
      if (!config.usersCreate) {
        throw new MatrixError('M_FORBIDDEN', 'Only a server admin can create groups');
      }
      if (!localpart.startsWith(config.prefix)) {
        const message = `Can only create groups with prefix ${config.prefix} on this server`;
        throw new MatrixError('M_FORBIDDEN', message);
      }
    }
    const groupId = `+${localpart}:${config.serverName}`;
    if (!isCommunityId(groupId)) {
      throw new MatrixError(
        'M_INVALID_PARAM',
        "Group ID can only contain characters a-z, 0-9, or '=_-./'",
      );
    }
    const made = await database.query(insertCommunity, [
      groupId,
      body.profile?.name ?? null,
      body.profile?.avatar_url ?? null,
      body.profile?.short_description ?? null,
      body.profile?.long_description ?? null,
      clock.now(),
      requester.userNid,
    ]);
    if (made.length === 0) throw new MatrixError('M_UNKNOWN', 'Group already exists');
    return { group_id: groupId };
  },
});

const paths = clientPaths('/groups/:groupId/profile');

const getGroupProfile = declare({
  operation: 'getGroupProfile',
  method: 'GET',
  paths,
  auth: 'guest',
  runsOn,
  deprecated: true,
  summary: 'The name, picture and description of a community',
  source,
  handle: async ({ params, requester }, services) =>
    profileOf(await readable(services, params['groupId']!, requester)),
});

const setGroupProfile = declare({
  operation: 'setGroupProfile',
  method: 'POST',
  paths,
  auth: 'user',
  runsOn,
  deprecated: true,
  summary: 'Changes them; what is left out stays',
  source,
  body: profile,
  async handle({ params, body, requester }, services) {
    const { communityNid } = await administered(services, params['groupId']!, requester);
    await services.database.query(updateProfile, [
      communityNid,
      body.name ?? null,
      body.avatar_url ?? null,
      body.short_description ?? null,
      body.long_description ?? null,
    ]);
    return {};
  },
});

const setJoinPolicy = declare({
  operation: 'setGroupJoinPolicy',
  method: 'PUT',
  paths: clientPaths('/groups/:groupId/settings/m.join_policy'),
  auth: 'user',
  runsOn,
  deprecated: true,
  summary: 'Who may join: everybody, or those who are invited',
  source,
  body: Type.Object({
    'm.join_policy': Type.Object({
      type: Type.Union([Type.Literal('invite'), Type.Literal('open')]),
    }),
  }),
  async handle({ params, body, requester }, services) {
    const { communityNid } = await administered(services, params['groupId']!, requester);
    await services.database.query(updateJoinPolicy, [communityNid, body['m.join_policy'].type]);
    return {};
  },
});

export const aboutEndpoints = [createGroup, getGroupProfile, setGroupProfile, setJoinPolicy];
