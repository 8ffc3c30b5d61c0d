import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { checkMayLogIn } from '../credentials.ts';
import type { AccountServices } from '../services.ts';

const declare = endpoint<AccountServices>();
const runsOn = { group: 'registration_login', balance: 'none' } as const;
const anyBody = Type.Record(Type.String(), Type.Any());

const getLoginFlows = declare({
  operation: 'getLoginFlows',
  method: 'GET',
  paths: clientPaths('/login'),
  auth: 'none',
  runsOn,
  summary: 'The ways to log in',
  source: 'CS 1.19, getLoginFlows',
  handle: (_context, { loginTypes }) => ({
    flows: [...loginTypes.values()].map((type) => type.flow()).filter((flow) => flow !== null),
  }),
});

const getAuthMetadata = declare({
  operation: 'getAuthMetadata',
  method: 'GET',
  paths: [
    '/_matrix/client/v1/auth_metadata',
    '/_matrix/client/unstable/org.matrix.msc2965/auth_metadata',
  ],
  auth: 'none',
  runsOn,
  summary: 'That accounts are kept here, not by an OAuth 2.0 server',
  source: 'CS 1.19, getAuthMetadata',
  errors: ['M_UNRECOGNIZED'],
  handle() {
    // The answer by which clients learn to use the log-in endpoints.
    throw new MatrixError('M_UNRECOGNIZED', 'Users log in to this homeserver without OAuth 2.0');
  },
});

const optionalText = (value: unknown, name: string): string | null => {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string') throw new MatrixError('M_BAD_JSON', `${name} must be a string`);
  return value;
};

const login = declare({
  operation: 'login',
  method: 'POST',
  paths: clientPaths('/login'),
  auth: 'none',
  rateLimit: 'login',
  runsOn,
  summary: 'Begins a session',
  source: 'CS 1.19, login',
  body: anyBody,
  errors: ['M_FORBIDDEN', 'M_USER_DEACTIVATED', 'M_UNKNOWN', 'M_LIMIT_EXCEEDED'],
  async handle({ body, request }, { loginTypes, sessions, config, limiter, events }) {
    const { type: name } = body;
    if (name === undefined) throw new MatrixError('M_MISSING_PARAM', 'Missing login type');
    const type = typeof name === 'string' ? loginTypes.get(name) : undefined;
    if (!type?.check) throw new MatrixError('M_UNKNOWN', 'Unknown login type');
    const { account, authSession, extra } = await type.check(body, request);
    limiter.take('account', account.userId);
    checkMayLogIn(account);
    const answer = await sessions.logIn(account, {
      deviceId: optionalText(body['device_id'], 'device_id'),
      displayName: optionalText(body['initial_device_display_name'], 'initial_device_display_name'),
      refresh: body['refresh_token'] === true,
    });
    if (authSession) await events.loggedInBy(account, answer.device_id, authSession);
    const { wellKnown } = config;
    return { ...extra, ...answer, ...(wellKnown ? { well_known: wellKnown } : {}) };
  },
});

const refresh = declare({
  operation: 'refresh',
  method: 'POST',
  paths: clientPaths('/refresh', { also: ['v1'] }),
  auth: 'none',
  runsOn,
  summary: 'A new access token for a refresh token',
  source: 'CS 1.19, refresh',
  body: Type.Object({ refresh_token: Type.String() }),
  errors: ['M_UNKNOWN_TOKEN'],
  handle: ({ body }, { sessions }) => sessions.refresh(body.refresh_token),
});

const generateLoginToken = declare({
  operation: 'generateLoginToken',
  method: 'POST',
  paths: clientPaths('/login/get_token', { since: 'v1' }),
  auth: 'user',
  runsOn,
  summary: 'A token by which another device of the user can log in',
  source: 'CS 1.19, generateLoginToken',
  body: anyBody,
  bodyMode: 'optional',
  async handle({ body, requester, request }, services) {
    const { config, uiAuth, reauthFlows } = services;
    if (!config.loginToken.isEnabled) {
      throw new MatrixError('M_UNRECOGNIZED', 'Log-in by tokens is not enabled');
    }
    const { lifetimeMs } = config.loginToken;
    const issue = () => services.loginTokens.issue(requester, { lifetimeMs });
    if (!config.loginToken.requiresUiAuth) return issue();
    return uiAuth.authorise(
      {
        body,
        request,
        requester,
        flows: await reauthFlows(requester.userId),
        description: 'issue a new access token for your account',
      },
      issue,
    );
  },
});

const logout = declare({
  operation: 'logout',
  method: 'POST',
  paths: clientPaths('/logout'),
  auth: 'guest',
  runsOn: { group: 'client', balance: 'none' },
  summary: 'Ends the session',
  source: 'CS 1.19, logout',
  bodyMode: 'none',
  async handle({ requester }, { devices, sessions }) {
    if (requester.deviceId !== null) await devices.delete(requester, [requester.deviceId]);
    else if (requester.tokenNid !== null) {
      await sessions.endToken(requester.userNid, requester.tokenNid);
    }
    return {};
  },
});

const logoutAll = declare({
  operation: 'logoutAll',
  method: 'POST',
  paths: clientPaths('/logout/all'),
  auth: 'guest',
  runsOn: { group: 'client', balance: 'none' },
  summary: 'Ends all sessions of the user',
  source: 'CS 1.19, logout_all',
  bodyMode: 'none',
  async handle({ requester }, { devices }) {
    await devices.deleteOthers(requester, { deviceId: null, tokenNid: null });
    return {};
  },
});

const whoami = declare({
  operation: 'getTokenOwner',
  method: 'GET',
  paths: clientPaths('/account/whoami'),
  auth: 'guest',
  runsOn: { group: 'client', balance: 'none' },
  summary: 'Whom the access token stands for',
  source: 'CS 1.19, getTokenOwner',
  handle: ({ requester }) => ({
    user_id: requester.userId,
    is_guest: requester.isGuest,
    ...(requester.deviceId === null ? {} : { device_id: requester.deviceId }),
  }),
});

export const loginEndpoints = [
  getLoginFlows,
  getAuthMetadata,
  login,
  refresh,
  generateLoginToken,
  logout,
  logoutAll,
  whoami,
];
