import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { AccountServices } from '../services.ts';

const declare = endpoint<AccountServices>();
const api = '/_synapse/admin/v1';
const source = 'Synapse admin API, "User Admin API"';
const shared = { auth: 'admin', runsOn: { group: 'admin', balance: 'none' }, source } as const;

const found = (userId: string | null | undefined) => {
  if (!userId) throw new MatrixError('M_NOT_FOUND', 'User not found');
  return { user_id: userId };
};

const usernameAvailable = declare({
  ...shared,
  operation: 'adminUsernameAvailable',
  method: 'GET',
  paths: [`${api}/username_available`],
  summary: 'Whether a name is free, also where that is not told to everybody',
  query: Type.Object({ username: Type.String() }),
  errors: ['M_FORBIDDEN', 'M_USER_IN_USE', 'M_INVALID_USERNAME', 'M_EXCLUSIVE', 'M_MISSING_PARAM'],
  async handle({ query }, { registration }) {
    await registration.checkAvailable(query.username);
    return { available: true };
  },
});

const searchUsers = declare({
  ...shared,
  operation: 'adminSearchUsers',
  method: 'GET',
  paths: [`${api}/search_users/:userId`],
  summary: 'Users whose id has a text in it; the user id in the path stands for the server',
  deprecated: true,
  query: Type.Object({ term: Type.String() }),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM', 'M_MISSING_PARAM'],
  async handle({ params, query }, { moderation, userAdministration }) {
    moderation.checkIsLocal(params['userId']!);
    const users = await userAdministration.search(query.term);
    // Synapse shows the hash itself.
    return users.map((user) => ({ ...user, password_hash: null }));
  },
});

const byExternalId = declare({
  ...shared,
  operation: 'adminUserByExternalId',
  method: 'GET',
  paths: [`${api}/auth_providers/:provider/users/:externalId`],
  summary: 'The user whom an identity provider knows by an id',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params }, { externalIds }) {
    const { provider, externalId } = params;
    return found(await externalIds.userOf({ authProvider: provider!, externalId: externalId! }));
  },
});

const byThreepid = declare({
  ...shared,
  operation: 'adminUserByThreepid',
  method: 'GET',
  paths: [`${api}/threepid/:medium/users/:address`],
  summary: 'The user who has an address or number',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params }, { directory }) {
    return found((await directory.byThreepid(params['medium']!, params['address']!))?.userId);
  },
});

export const adminLookupEndpoints = [usernameAvailable, searchUsers, byExternalId, byThreepid];
