import { Type } from 'typebox';
import { clientPaths, endpoint, type RequestInfo } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { hashPassword } from '../password-hash.ts';
import { checkNewPassword } from '../password-policy.ts';
import type { Registered } from '../registration.ts';
import type { AccountServices } from '../services.ts';
import type { AccountRow } from '../store/accounts.ts';
import type { DeviceWish } from '../sessions.ts';
import type { UiAuthSession } from '../ui-auth-sessions.ts';
import type { UiAuthDone } from '../ui-auth.ts';
import { localpartOf } from '../user-ids.ts';

const declare = endpoint<AccountServices>();
const runsOn = { group: 'registration_login', balance: 'none' } as const;

interface RegisterBody {
  username?: string;
  password?: string;
  device_id?: string;
  initial_device_display_name?: string;
  inhibit_login?: boolean;
  refresh_token?: boolean;
  guest_access_token?: string;
  auth?: Record<string, unknown>;
  type?: string;
}

const deviceWish = (body: RegisterBody): DeviceWish | null =>
  body.inhibit_login === true
    ? null
    : {
        deviceId: body.device_id ?? null,
        displayName: body.initial_device_display_name ?? null,
        refresh: body.refresh_token === true,
      };

const answerOf = ({ userId, session }: Registered, serverName: string) =>
  session ?? { user_id: userId, home_server: serverName };

async function registerGuest(services: AccountServices, body: RegisterBody) {
  const { config, registration } = services;
  if (!config.registration.allowGuests) {
    throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guest access is disabled');
  }
  const registered = await registration.register({
    userId: null,
    passwordHash: null,
    isGuest: true,
    displayName: null,
    device: {
      deviceId: null,
      displayName: body.initial_device_display_name ?? null,
      refresh: false,
    },
  });
  return answerOf(registered, config.serverName);
}

async function registerForService(
  services: AccountServices,
  body: RegisterBody,
  request: RequestInfo,
) {
  const { appservices, registration, config } = services;
  const service = request.accessToken === null ? null : appservices.byToken(request.accessToken);
  if (!service) throw new MatrixError('M_UNKNOWN_TOKEN', 'Unrecognised access token.');
  if (body.username === undefined) throw new MatrixError('M_MISSING_PARAM', 'username is missing');
  if (service.managesDevices && body.inhibit_login !== true) {
    throw new MatrixError(
      'M_APPSERVICE_LOGIN_UNSUPPORTED',
      'This application service manages its devices; set inhibit_login',
    );
  }
  const registered = await registration.register({
    userId: registration.appserviceUserId(body.username, service),
    passwordHash: null,
    appserviceId: service.id,
    device: deviceWish(body),
  });
  return answerOf(registered, config.serverName);
}

/** The hash of the password that was sent now, or with an earlier request of the session. */
async function passwordHashOf(
  services: AccountServices,
  body: RegisterBody,
  session: UiAuthSession | null,
): Promise<string | null> {
  if (body.password === undefined) return session?.passwordHash ?? null;
  checkNewPassword(body.password, services.config.password.policy);
  return hashPassword(body.password, services.config.password.pepper);
}

/**
 * The guest who is to become a user; null: it is somebody new. Throws M_FORBIDDEN unless the token is
 * that of the guest whom the username names, M_MISSING_PARAM. Source: client-server spec, "Guest Access".
 */
async function guestOf(
  { authenticator, directory }: AccountServices,
  { guest_access_token: token, username }: RegisterBody,
  request: RequestInfo,
): Promise<AccountRow | null> {
  if (token === undefined) return null;
  if (username === undefined) throw new MatrixError('M_MISSING_PARAM', 'username is missing');
  const refused = new MatrixError('M_FORBIDDEN', 'The token is not of a guest of this name');
  let userId: string;
  try {
    ({ userId } = await authenticator.authenticate(token, {}, request, { guests: true }));
  } catch (error) {
    throw error instanceof MatrixError ? refused : error;
  }
  const account = await directory.byUserId(userId);
  if (!account?.isGuest || localpartOf(userId) !== username.toLowerCase()) throw refused;
  return account;
}

/** The account that is wanted: a new one, or a guest's that becomes a full one. */
async function makeAccount(
  services: AccountServices,
  whole: RegisterBody,
  request: RequestInfo,
  { completed, passwordHash }: { completed: UiAuthDone['completed']; passwordHash: string },
): Promise<Registered> {
  const { registration, sessions, threepidWork } = services;
  const device = deviceWish(whole);
  const guest = await guestOf(services, whole, request);
  if (guest) {
    await threepidWork.checkRegistration(completed);
    await registration.upgradeGuest(guest, passwordHash);
    const { userId, userNid } = guest;
    return { userId, userNid, session: device && (await sessions.logIn(guest, device)) };
  }
  const { username } = whole;
  const userId = username === undefined ? null : await registration.checkAvailable(username);
  await threepidWork.checkRegistration(completed);
  return registration.register({ userId, passwordHash, device });
}

const usedSession = () => new MatrixError('M_USER_IN_USE', 'User ID already taken.');

async function finish(
  services: AccountServices,
  body: RegisterBody,
  request: RequestInfo,
  done: UiAuthDone,
) {
  const { registrationTokens, config, threepidWork } = services;
  const { session, completed, isStored } = done;
  const whole = done.body as RegisterBody;
  const passwordHash = await passwordHashOf(services, body, session);
  // Nobody could log in to the account again.
  if (passwordHash === null) throw new MatrixError('M_MISSING_PARAM', 'Missing params: password');
  const sessionId = session && isStored ? session.id : null;
  // Once: another process may be at the same.
  if (sessionId !== null && !(await registrationTokens.use(sessionId, whole.username ?? ''))) {
    throw usedSession();
  }
  const registered = await makeAccount(services, whole, request, {
    completed,
    passwordHash,
  }).catch(async (error: unknown) => {
    if (sessionId !== null) await registrationTokens.reopen(sessionId);
    throw error;
  });
  await threepidWork.registered(registered, done.completed);
  await services.uiAuth.registered(registered, done.completed);
  return answerOf(registered, config.serverName);
}

async function registerUser(services: AccountServices, body: RegisterBody, request: RequestInfo) {
  const { config, registration, uiAuth } = services;
  if (!config.registration.isEnabled) {
    throw new MatrixError('M_FORBIDDEN', 'Registration has been disabled');
  }
  const known = await uiAuth.sessionOf(body as Record<string, unknown>);
  const isRetry = known?.registeredUserId !== null && known?.registeredUserId !== undefined;
  if (isRetry) throw usedSession();
  const guest = await guestOf(services, body, request);
  if (!guest && body.username !== undefined && !config.registration.inhibitUserInUseError) {
    await registration.checkAvailable(body.username);
  }
  if (body.password !== undefined) {
    checkNewPassword(body.password, config.password.policy);
  }
  return uiAuth.authorise(
    {
      body: body as Record<string, unknown>,
      request,
      requester: null,
      flows: services.registrationFlows(),
      description: 'register a new account',
      onIncomplete: async (session) => {
        const hash = await passwordHashOf(services, body, session);
        session.passwordHash = hash;
      },
    },
    (done) => finish(services, body, request, done),
  );
}

const register = declare({
  operation: 'register',
  method: 'POST',
  paths: clientPaths('/register'),
  auth: 'none',
  rateLimit: 'registration',
  runsOn,
  summary: 'Makes an account',
  source: 'CS 1.19, register',
  query: Type.Object({ kind: Type.Optional(Type.String()) }),
  body: Type.Object({
    username: Type.Optional(Type.String()),
    password: Type.Optional(Type.String({ maxLength: 512 })),
    device_id: Type.Optional(Type.String()),
    initial_device_display_name: Type.Optional(Type.String()),
    inhibit_login: Type.Optional(Type.Boolean()),
    refresh_token: Type.Optional(Type.Boolean()),
    guest_access_token: Type.Optional(Type.String()),
    auth: Type.Optional(Type.Record(Type.String(), Type.Any())),
    type: Type.Optional(Type.String()),
  }),
  errors: ['M_USER_IN_USE', 'M_INVALID_USERNAME', 'M_EXCLUSIVE', 'M_FORBIDDEN', 'M_WEAK_PASSWORD'],
  handle({ query, body, request }, services) {
    const kind = query.kind ?? 'user';
    if (kind === 'guest') return registerGuest(services, body);
    if (kind !== 'user') {
      throw new MatrixError('M_INVALID_PARAM', `Do not understand membership kind: ${kind}`);
    }
    if (body.type === 'm.login.application_service') {
      return registerForService(services, body, request);
    }
    return registerUser(services, body, request);
  },
});

const available = declare({
  operation: 'checkUsernameAvailability',
  method: 'GET',
  paths: clientPaths('/register/available'),
  auth: 'none',
  rateLimit: 'registration',
  runsOn,
  summary: 'Whether a username is free',
  source: 'CS 1.19, checkUsernameAvailability',
  query: Type.Object({ username: Type.String() }),
  errors: ['M_USER_IN_USE', 'M_INVALID_USERNAME', 'M_EXCLUSIVE'],
  async handle({ query }, { registration, config }) {
    if (!config.registration.isEnabled) {
      throw new MatrixError('M_FORBIDDEN', 'Registration has been disabled');
    }
    await registration.checkAvailable(query.username);
    return { available: true };
  },
});

const tokenValidity = declare({
  operation: 'registrationTokenValidity',
  method: 'GET',
  paths: clientPaths('/register/m.login.registration_token/validity', { since: 'v1' }),
  auth: 'none',
  rateLimit: 'registration_token_validity',
  runsOn,
  summary: 'Whether a registration token can be used',
  source: 'CS 1.19, registrationTokenValidity',
  query: Type.Object({ token: Type.String() }),
  async handle({ query }, { registrationTokens, config }) {
    if (!config.registration.isEnabled) {
      throw new MatrixError('M_FORBIDDEN', 'Registration has been disabled');
    }
    return { valid: await registrationTokens.isUsable(query.token) };
  },
});

export const registrationEndpoints = [register, available, tokenValidity];
