import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { hashPassword } from '../password-hash.ts';
import { checkNewPassword } from '../password-policy.ts';
import type { AccountServices } from '../services.ts';

const declare = endpoint<AccountServices>();
const runsOn = { group: 'client', balance: 'none' } as const;
const anyBody = Type.Record(Type.String(), Type.Any());

const changePassword = declare({
  operation: 'changePassword',
  method: 'POST',
  paths: clientPaths('/account/password'),
  auth: 'user',
  rateLimit: 'registration',
  runsOn,
  summary: "Changes the user's password",
  source: 'CS 1.19, changePassword',
  body: anyBody,
  errors: ['M_WEAK_PASSWORD', 'M_FORBIDDEN', 'M_MISSING_PARAM'],
  async handle({ body, requester, request }, services) {
    const { config, uiAuth, reauthFlows, moderation, devices } = services;
    const hashOf = async (password: unknown) => {
      if (typeof password !== 'string') return null;
      checkNewPassword(password, config.password.policy);
      return hashPassword(password, config.password.pepper);
    };
    const sent = body['new_password'];
    return uiAuth.authorise(
      {
        body,
        request,
        requester,
        flows: await reauthFlows(requester.userId),
        description: 'modify your account password',
        onIncomplete: async (session) => {
          session.passwordHash = (await hashOf(sent)) ?? session.passwordHash;
        },
      },
      async (done) => {
        const hash = (await hashOf(sent)) ?? done.session?.passwordHash ?? null;
        if (hash === null) throw new MatrixError('M_MISSING_PARAM', 'new_password is missing');
        await moderation.setPasswordHash(requester, hash);
        if (done.body['logout_devices'] !== false) {
          const { deviceId, tokenNid } = requester;
          await devices.deleteOthers(requester, { deviceId, tokenNid });
        }
        return {};
      },
    );
  },
});

const deactivateAccount = declare({
  operation: 'deactivateAccount',
  method: 'POST',
  paths: clientPaths('/account/deactivate'),
  auth: 'user',
  runsOn,
  summary: 'Ends the account for good',
  source: 'CS 1.19, deactivateAccount',
  body: anyBody,
  bodyMode: 'optional',
  async handle({ body, requester, request }, services) {
    const { uiAuth, reauthFlows, moderation } = services;
    const deactivate = async (erase: boolean) => {
      await moderation.deactivate(requester, { erase });
      return { id_server_unbind_result: 'success' };
    };
    if (requester.appservice) return deactivate(body['erase'] === true);
    return uiAuth.authorise(
      {
        body,
        request,
        requester,
        flows: await reauthFlows(requester.userId),
        description: 'deactivate your account',
      },
      (done) => deactivate(done.body['erase'] === true),
    );
  },
});

const getCapabilities = declare({
  operation: 'getCapabilities',
  method: 'GET',
  paths: clientPaths('/capabilities'),
  auth: 'user',
  runsOn,
  summary: 'What the server lets the user do',
  source: 'CS 1.19, getCapabilities',
  handle(_context, { config, roomVersions }) {
    const { allowDisplayName, allowAvatarUrl } = config.profiles;
    const closed = [
      ...(allowDisplayName ? [] : ['displayname']),
      ...(allowAvatarUrl ? [] : ['avatar_url']),
    ];
    return {
      capabilities: {
        'm.room_versions': roomVersions,
        'm.change_password': { enabled: config.password.isEnabled !== false },
        'm.set_displayname': { enabled: allowDisplayName },
        'm.set_avatar_url': { enabled: allowAvatarUrl },
        'm.3pid_changes': { enabled: config.allowThreepidChanges },
        'm.get_login_token': { enabled: config.loginToken.isEnabled },
        'm.profile_fields': {
          enabled: true,
          ...(closed.length > 0 ? { disallowed: closed } : {}),
        },
        'm.forget_forced_upon_leave': { enabled: config.forgetsRoomsOnLeave },
      },
    };
  },
});

const requestOpenIdToken = declare({
  operation: 'requestOpenIdToken',
  method: 'POST',
  paths: clientPaths('/user/:userId/openid/request_token'),
  auth: 'user',
  runsOn,
  summary: 'A token by which a third party can learn who the user is',
  source: 'CS 1.19, requestOpenIdToken',
  bodyMode: 'optional',
  async handle({ params, requester }, { openId, config }) {
    if (params['userId'] !== requester.userId) {
      throw new MatrixError('M_FORBIDDEN', 'Cannot request tokens for other users.');
    }
    const { token, lifetimeMs } = await openId.issue(requester);
    return {
      access_token: token,
      token_type: 'Bearer',
      matrix_server_name: config.serverName,
      expires_in: Math.floor(lifetimeMs / 1000),
    };
  },
});

const getAccount3PIDs = declare({
  operation: 'getAccount3PIDs',
  method: 'GET',
  paths: clientPaths('/account/3pid'),
  auth: 'user',
  runsOn,
  summary: 'E-mail addresses and phone numbers of the account',
  source: 'CS 1.19, getAccount3PIDs',
  handle: async ({ requester }, { threepidsOf }) => ({
    threepids: await threepidsOf(requester.userNid),
  }),
});

export const accountEndpoints = [
  changePassword,
  deactivateAccount,
  getCapabilities,
  requestOpenIdToken,
  getAccount3PIDs,
];
