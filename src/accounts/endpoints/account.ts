import { Type } from 'typebox';
import { clientPaths, endpoint, type Requester } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { hashPassword } from '../password-hash.ts';
import { checkNewPassword } from '../password-policy.ts';
import type { AccountServices } from '../services.ts';
import type { UserRef } from '../subscribers.ts';

const declare = endpoint<AccountServices>();
const runsOn = { group: 'client', balance: 'none' } as const;
const anyBody = Type.Record(Type.String(), Type.Any());

/** Who has no token proves by mail or phone who it is. */
async function passwordFlows(services: AccountServices, requester: Requester | null) {
  if (requester) return services.reauthFlows(requester.userId);
  const flows = services.threepidWork.passwordResetFlows();
  if (flows.length === 0) throw new MatrixError('M_MISSING_TOKEN', 'Missing access token');
  return flows;
}

/** The account of the address or number that was proven. */
async function provenUser(
  { threepidWork, directory, threepids }: AccountServices,
  completed: Record<string, unknown>,
): Promise<UserRef> {
  const proven = threepidWork.provenBy(completed);
  const account = proven && (await directory.byThreepid(proven.medium, proven.address));
  if (!account) throw new MatrixError('M_NOT_FOUND', 'No account has this address or number');
  const all = await threepids.of(account.userNid);
  const own = all.find((one) => one.medium === proven.medium && one.address === proven.address);
  // Somebody may have made its owner follow a link before there was an account to protect.
  if (!own || own.added_at > proven.validatedTs) {
    throw new MatrixError('M_THREEPID_AUTH_FAILED', 'The proof is older than the account');
  }
  return account;
}

const changePassword = declare({
  operation: 'changePassword',
  method: 'POST',
  paths: clientPaths('/account/password'),
  auth: 'optional',
  rateLimit: 'registration',
  runsOn,
  summary: "Changes the user's password, also of a user who has forgotten it",
  source: 'CS 1.19, changePassword',
  body: anyBody,
  errors: ['M_WEAK_PASSWORD', 'M_FORBIDDEN', 'M_MISSING_PARAM'],
  async handle({ body, requester, request }, services) {
    const { config, uiAuth, moderation, devices, threepidWork } = services;
    if (requester?.isGuest) {
      throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests have no password');
    }
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
        flows: await passwordFlows(services, requester),
        description: 'modify your account password',
        onIncomplete: async (session) => {
          session.passwordHash = (await hashOf(sent)) ?? session.passwordHash;
        },
      },
      async (done) => {
        const hash = (await hashOf(sent)) ?? done.session?.passwordHash ?? null;
        if (hash === null) throw new MatrixError('M_MISSING_PARAM', 'new_password is missing');
        const user = requester ?? (await provenUser(services, done.completed));
        await moderation.setPasswordHash(user, hash);
        await threepidWork.used(done.completed);
        if (done.body['logout_devices'] !== false) {
          const { deviceId = null, tokenNid = null } = requester ?? {};
          await devices.deleteOthers(user, { deviceId, tokenNid });
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
    const { uiAuth, reauthFlows, moderation, threepidWork } = services;
    const deactivate = async (wish: Record<string, unknown>) => {
      const idServer = typeof wish['id_server'] === 'string' ? wish['id_server'] : null;
      // A server that cannot be told is no reason to keep an account.
      const isUnbound = await threepidWork.unbindAll(requester, idServer).catch(() => false);
      await moderation.deactivate(requester, { erase: wish['erase'] === true });
      return { id_server_unbind_result: isUnbound ? 'success' : 'no-support' };
    };
    if (requester.appservice) return deactivate(body);
    return uiAuth.authorise(
      {
        body,
        request,
        requester,
        flows: await reauthFlows(requester.userId),
        description: 'deactivate your account',
      },
      (done) => deactivate(done.body),
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
  handle({ requester }, { config, roomVersions }) {
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
        ...(requester.isAdmin ? { 'm.account_moderation': { suspend: true, lock: true } } : {}),
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

export const accountEndpoints = [
  changePassword,
  deactivateAccount,
  getCapabilities,
  requestOpenIdToken,
];
