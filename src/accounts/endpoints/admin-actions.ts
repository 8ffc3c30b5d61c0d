import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { hashPassword } from '../password-hash.ts';
import { checkHasPasswords } from '../put-user.ts';
import type { AccountServices } from '../services.ts';

const declare = endpoint<AccountServices>();
const api = '/_synapse/admin/v1';
const source = 'Synapse admin API, "User Admin API"';
const runsOn = { group: 'admin', balance: 'none' } as const;
const shared = {
  auth: 'admin',
  runsOn,
  source,
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
} as const;

const deactivate = declare({
  ...shared,
  operation: 'adminDeactivateUser',
  method: 'POST',
  paths: [`${api}/deactivate/:userId`],
  summary: 'Ends an account for good; `erase`: what it has written is hidden too',
  body: Type.Object({ erase: Type.Optional(Type.Boolean()) }),
  bodyMode: 'optional',
  async handle({ params, body }, { moderation, threepidWork }) {
    const account = await moderation.anyAccount(params['userId']!);
    // A server that cannot be told is no reason to keep an account.
    const isUnbound = await threepidWork.unbindAll(account, null).catch(() => false);
    await moderation.deactivate(account, { erase: body.erase ?? false });
    return { id_server_unbind_result: isUnbound ? 'success' : 'no-support' };
  },
});

const resetPassword = declare({
  ...shared,
  operation: 'adminResetPassword',
  method: 'POST',
  paths: [`${api}/reset_password/:userId`],
  summary: 'Gives a user another password and, unless it is said otherwise, ends all sessions',
  body: Type.Object({
    new_password: Type.String({ maxLength: 512 }),
    logout_devices: Type.Optional(Type.Boolean()),
  }),
  async handle({ params, body, requester }, services) {
    const { moderation, devices, config } = services;
    checkHasPasswords(services);
    const account = await moderation.localAccount(params['userId']!);
    const hash = await hashPassword(body.new_password, config.password.pepper);
    await moderation.setPasswordHash(account, hash);
    if (body.logout_devices ?? true) {
      const { deviceId, tokenNid } = requester;
      const isOwn = account.userNid === requester.userNid;
      await devices.deleteOthers(
        account,
        isOwn ? { deviceId, tokenNid } : { deviceId: null, tokenNid: null },
      );
    }
    return {};
  },
});

const adminPath = `${api}/users/:userId/admin`;

const getAdmin = declare({
  ...shared,
  operation: 'adminGetAdminFlag',
  method: 'GET',
  paths: [adminPath],
  summary: 'Whether a user is an admin of this server',
  async handle({ params }, { moderation }) {
    return { admin: (await moderation.anyAccount(params['userId']!)).isAdmin };
  },
});

const setAdmin = declare({
  ...shared,
  operation: 'adminSetAdminFlag',
  method: 'PUT',
  paths: [adminPath],
  summary: 'Makes a user an admin of this server, or no longer',
  body: Type.Object({ admin: Type.Boolean() }),
  async handle({ params, body, requester }, { moderation }) {
    const account = await moderation.localAccount(params['userId']!);
    if (account.userNid === requester.userNid && !body.admin) {
      throw new MatrixError('M_UNKNOWN', 'You may not demote yourself.');
    }
    await moderation.setAdmin(account, body.admin);
    return {};
  },
});

const suspend = declare({
  ...shared,
  operation: 'adminSuspendUser',
  method: 'PUT',
  paths: [`${api}/suspend/:userId`],
  summary: 'Suspends a user, or lifts that',
  body: Type.Object({ suspend: Type.Boolean() }),
  async handle({ params, body }, { moderation }) {
    const account = await moderation.localAccount(params['userId']!);
    await moderation.setSuspended(account, body.suspend);
    return { [`user_${account.userId}_suspended`]: body.suspend };
  },
});

const logInAs = declare({
  ...shared,
  operation: 'adminLoginAsUser',
  method: 'POST',
  paths: [`${api}/users/:userId/login`],
  summary: 'A token with which the admin acts as a user, without a device',
  body: Type.Object({
    valid_until_ms: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()])),
  }),
  bodyMode: 'optional',
  async handle({ params, body, requester }, { moderation, sessions }) {
    const account = await moderation.localAccount(params['userId']!);
    if (account.userNid === requester.userNid) {
      throw new MatrixError('M_UNKNOWN', 'Cannot use admin API to login as self');
    }
    const validUntilTs = body.valid_until_ms ?? null;
    return { access_token: await sessions.puppet(account, requester.userNid, validUntilTs) };
  },
});

const shadowBan = (['POST', 'DELETE'] as const).map((method) =>
  declare({
    ...shared,
    operation: method === 'POST' ? 'adminShadowBan' : 'adminLiftShadowBan',
    method,
    paths: [`${api}/users/:userId/shadow_ban`],
    summary:
      method === 'POST'
        ? 'What the user sends is taken and reaches nobody'
        : 'What the user sends reaches others again',
    bodyMode: 'optional',
    async handle({ params }, { moderation }) {
      const account = await moderation.localAccount(params['userId']!);
      await moderation.setShadowBanned(account, method === 'POST');
      return {};
    },
  }),
);

const whois = declare({
  ...shared,
  operation: 'adminWhois',
  method: 'GET',
  paths: [`${api}/whois/:userId`],
  auth: 'user',
  summary: 'From where a user has been connected, all devices together',
  async handle({ params, requester }, { moderation, connections }) {
    const userId = params['userId']!;
    if (userId !== requester.userId && !requester.isAdmin) {
      throw new MatrixError('M_FORBIDDEN', 'You are not a server admin');
    }
    const account = await moderation.anyAccount(userId);
    const seen = (await connections.list(account.userNid)).map((one) => ({
      ip: one.ip,
      last_seen: one.lastSeenTs,
      user_agent: one.userAgent,
    }));
    return { user_id: userId, devices: { '': { sessions: [{ connections: seen }] } } };
  },
});

export const adminActionEndpoints = [
  deactivate,
  resetPassword,
  getAdmin,
  setAdmin,
  suspend,
  logInAs,
  ...shadowBan,
  whois,
];
