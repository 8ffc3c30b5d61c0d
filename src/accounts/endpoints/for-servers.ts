import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { isUserId, serverNameOf } from '../../matrix/ids.ts';
import type { AccountServices } from '../services.ts';

const declare = endpoint<AccountServices>();
const shared = {
  method: 'GET',
  resource: 'federation',
  runsOn: { group: 'federation', balance: 'origin' },
} as const;

const queryProfile = declare({
  ...shared,
  operation: 'queryProfile',
  paths: ['/_matrix/federation/v1/query/profile'],
  auth: 'server',
  summary: 'Tells another server the profile of a user of this one, or one field of it',
  source: 'SS 1.19, queryProfile',
  query: Type.Object({ user_id: Type.String(), field: Type.Optional(Type.String()) }),
  errors: ['M_NOT_FOUND', 'M_FORBIDDEN', 'M_INVALID_PARAM'],
  async handle({ query: { user_id: userId, field } }, { config, profiles }) {
    if (!config.profiles.allowFederation) {
      throw new MatrixError('M_FORBIDDEN', 'Profiles are not told to other servers');
    }
    if (!isUserId(userId) || serverNameOf(userId) !== config.serverName) {
      throw new MatrixError('M_INVALID_PARAM', 'The user is not one of this server');
    }
    const profile = await profiles.get(userId);
    if (field === undefined) return profile;
    return Object.hasOwn(profile, field) ? { [field]: profile[field] } : {};
  },
});

const exchangeOpenIdToken = declare({
  ...shared,
  operation: 'exchangeOpenIdToken',
  paths: ['/_matrix/federation/v1/openid/userinfo'],
  auth: 'none',
  summary: 'Whose an OpenID token is',
  source: 'SS 1.19, exchangeOpenIdToken',
  query: Type.Object({ access_token: Type.Optional(Type.String()) }),
  errors: ['M_MISSING_TOKEN', 'M_UNKNOWN_TOKEN'],
  async handle({ query: { access_token: token } }, { openId }) {
    if (token === undefined) throw new MatrixError('M_MISSING_TOKEN', 'Missing access token');
    const userId = await openId.userOf(token);
    if (userId === null) {
      throw new MatrixError('M_UNKNOWN_TOKEN', 'The token is unknown or has expired');
    }
    return { sub: userId };
  },
});

export const forServersEndpoints = [queryProfile, exchangeOpenIdToken];
