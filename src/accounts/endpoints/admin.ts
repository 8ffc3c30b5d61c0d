import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import type { RateLimit } from '../../http/rate-limit.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { isMacRight, isNonceGood, newNonce } from '../shared-secret.ts';
import { hashPassword } from '../password-hash.ts';
import { checkUserType } from '../put-user.ts';
import { userIdFor } from '../usernames.ts';
import type { AccountServices } from '../services.ts';

const declare = endpoint<AccountServices>();
const runsOn = { group: 'admin', balance: 'none' } as const;
const registerPath = '/_synapse/admin/v1/register';

const secretOf = ({ config }: AccountServices): string => {
  const { sharedSecret } = config.registration;
  if (sharedSecret === null) {
    throw new MatrixError('M_UNKNOWN', 'Shared secret registration is not enabled');
  }
  return sharedSecret;
};

const getNonce = declare({
  operation: 'getRegistrationNonce',
  method: 'GET',
  paths: [registerPath],
  auth: 'none',
  runsOn,
  summary: 'A nonce for registration by the shared secret',
  source: 'Synapse admin API, "Shared-Secret Registration"',
  handle(_context, services) {
    return { nonce: newNonce(secretOf(services), services.clock.now()) };
  },
});

const registerBySecret = declare({
  operation: 'registerBySharedSecret',
  method: 'POST',
  paths: [registerPath],
  auth: 'none',
  runsOn,
  summary: 'Makes an account, for whoever knows the shared secret',
  source: 'Synapse admin API, "Shared-Secret Registration"',
  body: Type.Object({
    nonce: Type.String(),
    username: Type.String(),
    password: Type.String({ maxLength: 512 }),
    mac: Type.String(),
    admin: Type.Optional(Type.Boolean()),
    displayname: Type.Optional(Type.String()),
    user_type: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    inhibit_login: Type.Optional(Type.Boolean()),
  }),
  errors: ['M_FORBIDDEN', 'M_USER_IN_USE', 'M_INVALID_USERNAME'],
  async handle({ body }, services) {
    const secret = secretOf(services);
    if (!isNonceGood(secret, body.nonce, services.clock.now())) {
      throw new MatrixError('M_UNKNOWN', 'unrecognised nonce');
    }
    const { nonce, username, password, admin = false, user_type: userType } = body;
    const parts = [nonce, username, password, admin ? 'admin' : 'notadmin'];
    if (userType) parts.push(userType);
    if (!isMacRight(secret, parts, body.mac)) {
      throw new MatrixError('M_FORBIDDEN', 'HMAC incorrect');
    }
    checkUserType(services, userType);
    const { config, appservices, registration } = services;
    const registered = await registration.register({
      userId: userIdFor(username.toLowerCase(), config, appservices),
      passwordHash: await hashPassword(password, config.password.pepper),
      isAdmin: admin,
      userType: userType ?? null,
      displayName: body.displayname,
      device: body.inhibit_login ? null : { deviceId: null, displayName: null, refresh: false },
    });
    return registered.session ?? { user_id: registered.userId, home_server: config.serverName };
  },
});

const whois = declare({
  operation: 'getWhoIs',
  method: 'GET',
  paths: clientPaths('/admin/whois/:userId'),
  auth: 'user',
  runsOn,
  summary: 'From where a user has been connected',
  source: 'CS 1.19, getWhoIs',
  errors: ['M_FORBIDDEN'],
  async handle({ params, requester }, { moderation, connections }) {
    const userId = params['userId']!;
    if (userId !== requester.userId && !requester.isAdmin) {
      throw new MatrixError('M_FORBIDDEN', 'You are not a server admin');
    }
    const account = await moderation.localAccount(userId);
    const devices: Record<string, { sessions: { connections: object[] }[] }> = {};
    for (const { deviceId, ip, userAgent, lastSeenTs } of await connections.list(account.userNid)) {
      const device = (devices[deviceId ?? ''] ??= { sessions: [{ connections: [] }] });
      const connection = { ip, last_seen: lastSeenTs, user_agent: userAgent };
      device.sessions[0]!.connections.push(connection);
    }
    return { user_id: userId, devices };
  },
});

/** Suspension and locking by admins (client-server spec, "Account moderation"; MSC4323). */
const moderation = (['suspend', 'lock'] as const).flatMap((action) => {
  const member = action === 'suspend' ? 'suspended' : 'locked';
  const paths = [
    ...clientPaths(`/admin/${action}/:userId`, { since: 'v1' }),
    `/_matrix/client/unstable/uk.timedout.msc4323/admin/${action}/:userId`,
  ];
  const set = declare({
    operation: action === 'suspend' ? 'setAdminSuspendUser' : 'setAdminLockUser',
    method: 'PUT',
    paths,
    auth: 'admin',
    runsOn,
    summary: `Sets whether a user is ${member}`,
    source: 'CS 1.19; MSC4323',
    body: Type.Object({ [member]: Type.Boolean() }),
    errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
    async handle({ params, body, requester }, services) {
      const account = await services.moderation.localAccount(params['userId']!);
      if (account.userId === requester.userId || account.isAdmin) {
        throw new MatrixError('M_FORBIDDEN', `Admins cannot be ${member}`);
      }
      const value = (body as Record<string, boolean>)[member]!;
      if (action === 'suspend') await services.moderation.setSuspended(account, value);
      else await services.moderation.setLocked(account, value);
      return { [member]: value };
    },
  });
  const get = declare({
    operation: action === 'suspend' ? 'getAdminSuspendUser' : 'getAdminLockUser',
    method: 'GET',
    paths,
    auth: 'admin',
    runsOn,
    summary: `Whether a user is ${member}`,
    source: 'CS 1.19; MSC4323',
    errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
    async handle({ params }, services) {
      const account = await services.moderation.localAccount(params['userId']!);
      return { [member]: action === 'suspend' ? account.isSuspended : account.isLocked };
    },
  });
  return [set, get];
});

const ratePath = '/_synapse/admin/v1/users/:userId/override_ratelimit';
const rateSource = 'Synapse admin API, "Override ratelimiting for users"';

/** The answer about a user's own limit: nothing when there is none. */
const shownRate = (limit: RateLimit | null) =>
  limit === null ? {} : { messages_per_second: limit.perSecond, burst_count: limit.burst };

const getOwnRateLimit = declare({
  operation: 'getOverrideRatelimit',
  method: 'GET',
  paths: [ratePath],
  auth: 'admin',
  runsOn,
  summary: "A user's own rate limit",
  source: rateSource,
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params }, { moderation: moderated }) {
    const account = await moderated.anyAccount(params['userId']!);
    return shownRate(await moderated.ownRateLimit(account));
  },
});

const setOwnRateLimit = declare({
  operation: 'setOverrideRatelimit',
  method: 'POST',
  paths: [ratePath],
  auth: 'admin',
  runsOn,
  summary: 'Gives a user a rate limit that takes the place of the usual ones; 0: none at all',
  source: rateSource,
  body: Type.Object({
    messages_per_second: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
    burst_count: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
  }),
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params, body }, { moderation: moderated }) {
    const account = await moderated.anyAccount(params['userId']!);
    const limit = { perSecond: body.messages_per_second ?? 0, burst: body.burst_count ?? 0 };
    await moderated.setOwnRateLimit(account, limit);
    return shownRate(limit);
  },
});

const deleteOwnRateLimit = declare({
  operation: 'deleteOverrideRatelimit',
  method: 'DELETE',
  paths: [ratePath],
  auth: 'admin',
  runsOn,
  summary: 'Gives a user the usual rate limits again',
  source: rateSource,
  bodyMode: 'optional',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params }, { moderation: moderated }) {
    const account = await moderated.anyAccount(params['userId']!);
    await moderated.setOwnRateLimit(account, null);
    return {};
  },
});

export const adminEndpoints = [
  getNonce,
  registerBySecret,
  whois,
  ...moderation,
  getOwnRateLimit,
  setOwnRateLimit,
  deleteOwnRateLimit,
];
