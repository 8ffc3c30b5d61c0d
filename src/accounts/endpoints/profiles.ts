import { Type } from 'typebox';
import { clientPaths, endpoint, type Requester } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { isUserId } from '../../matrix/ids.ts';
import type { AccountServices } from '../services.ts';
import type { UserRef } from '../subscribers.ts';

const declare = endpoint<AccountServices>();
const runsOn = { group: 'client', balance: 'none' } as const;

/** Who may look at profiles depends on the configuration. */
async function checkMayLook(
  { config, sharesRoom }: AccountServices,
  userId: string,
  requester: Requester | null,
): Promise<void> {
  if (!isUserId(userId)) throw new MatrixError('M_INVALID_PARAM', 'Invalid user id');
  const { requireAuth, onlyRoomMates } = config.profiles;
  if (!requester && (requireAuth || onlyRoomMates)) {
    throw new MatrixError('M_MISSING_TOKEN', 'Profiles are for logged-in users');
  }
  if (!onlyRoomMates || requester!.userId === userId) return;
  if (!(await sharesRoom(requester!.userNid, userId))) {
    throw new MatrixError('M_FORBIDDEN', 'Profile is not visible to those who share no room', {});
  }
}

const getUserProfile = declare({
  operation: 'getUserProfile',
  method: 'GET',
  paths: clientPaths('/profile/:userId'),
  auth: 'optional',
  runsOn,
  summary: "A user's profile",
  source: 'CS 1.19, getUserProfile',
  errors: ['M_NOT_FOUND', 'M_FORBIDDEN'],
  async handle({ params, requester }, services) {
    const userId = params['userId']!;
    await checkMayLook(services, userId, requester);
    return services.profiles.get(userId);
  },
});

const fieldPaths = clientPaths('/profile/:userId/:keyName', {
  also: ['unstable/uk.tcpip.msc4133'],
});

const getProfileField = declare({
  operation: 'getProfileField',
  method: 'GET',
  paths: fieldPaths,
  auth: 'optional',
  runsOn,
  summary: "One field of a user's profile",
  source: 'CS 1.19, getProfileField; MSC4133',
  errors: ['M_NOT_FOUND', 'M_FORBIDDEN'],
  async handle({ params, requester }, services) {
    const { userId, keyName } = params;
    await checkMayLook(services, userId!, requester);
    return services.profiles.getField(userId!, keyName!);
  },
});

/** Whose profile is changed: the user's own, or for admins anybody's on this server. */
async function targetOf(
  services: AccountServices,
  userId: string,
  requester: Requester,
): Promise<UserRef> {
  if (userId === requester.userId) return requester;
  if (!requester.isAdmin) {
    throw new MatrixError('M_FORBIDDEN', "Cannot set another user's profile");
  }
  return services.moderation.localAccount(userId);
}

/** Throws M_FORBIDDEN, M_GUEST_ACCESS_FORBIDDEN: guests have a name and nothing else. */
function checkMayChange({ profiles }: AccountServices, requester: Requester, field: string): void {
  if (requester.isGuest && field !== 'displayname') {
    throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests may only set their display name');
  }
  if (!requester.isAdmin) profiles.checkMayChange(field);
}

const propagateQuery = Type.Object({
  propagate: Type.Optional(Type.Boolean()),
  'org.matrix.msc4069.propagate': Type.Optional(Type.Boolean()),
});

const setProfileField = declare({
  operation: 'setProfileField',
  refusesSuspended: true,
  method: 'PUT',
  paths: fieldPaths,
  auth: 'guest',
  runsOn,
  summary: "Sets a field of the user's profile",
  source: 'CS 1.19, setProfileField; MSC4133',
  query: propagateQuery,
  body: Type.Record(Type.String(), Type.Any()),
  errors: ['M_FORBIDDEN', 'M_KEY_TOO_LARGE', 'M_PROFILE_TOO_LARGE', 'M_MISSING_PARAM'],
  async handle({ params, query, body, requester }, services) {
    const { userId, keyName } = params;
    const user = await targetOf(services, userId!, requester);
    checkMayChange(services, requester, keyName!);
    if (!Object.hasOwn(body, keyName!)) {
      throw new MatrixError('M_MISSING_PARAM', `Missing key '${keyName}'`);
    }
    const propagate = query.propagate ?? query['org.matrix.msc4069.propagate'] ?? true;
    await services.profiles.setField(user, keyName!, body[keyName!], {
      propagate: propagate && !requester.isShadowBanned,
    });
    return {};
  },
});

const deleteProfileField = declare({
  operation: 'deleteProfileField',
  refusesSuspended: true,
  method: 'DELETE',
  paths: fieldPaths,
  auth: 'guest',
  runsOn,
  summary: "Removes a field of the user's profile",
  source: 'CS 1.19, deleteProfileField; MSC4133',
  query: propagateQuery,
  bodyMode: 'none',
  async handle({ params, query, requester }, services) {
    const { userId, keyName } = params;
    const user = await targetOf(services, userId!, requester);
    checkMayChange(services, requester, keyName!);
    await services.profiles.setField(user, keyName!, undefined, {
      propagate: (query.propagate ?? true) && !requester.isShadowBanned,
    });
    return {};
  },
});

export const profileEndpoints = [
  getUserProfile,
  getProfileField,
  setProfileField,
  deleteProfileField,
];
