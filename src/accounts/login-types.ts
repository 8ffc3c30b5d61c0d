import type { AppserviceRegistrations } from '../appservices/registrations.ts';
import { isInterestedInUser } from '../appservices/registrations.ts';
import type { RequestInfo } from '../http/endpoint.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { AccountsConfig } from './config.ts';
import { parseIdentifier, type Credentials } from './credentials.ts';
import type { AccountDirectory } from './directory.ts';
import type { AccountRow } from './store/accounts.ts';
import type { AuthSession } from './subscribers.ts';

/** Who logs in, and by what that was found out. */
export interface LoginProof {
  account: AccountRow;
  /** The session at an identity provider by which it was proven. */
  authSession?: AuthSession | null;
  /** What the client is told besides. */
  extra?: Readonly<Record<string, unknown>>;
}

/** One value of `type` in log-in requests. */
export interface LoginType {
  /** Its entry in the list of flows; null: not offered, though it may be accepted. */
  flow(): Record<string, unknown> | null;
  /** What the request proves; null: the type is only a hint to clients. */
  check: ((body: Record<string, unknown>, request: RequestInfo) => Promise<LoginProof>) | null;
}

/** The log-in types by name, in the order in which they are offered. */
export type LoginTypes = Map<string, LoginType>;

export interface LoginTypesDependencies {
  config: AccountsConfig;
  credentials: Credentials;
  directory: AccountDirectory;
  appservices: AppserviceRegistrations;
}

/** The types that need nothing but this module; single sign-on and others are added to it. */
export function builtInLoginTypes(dependencies: LoginTypesDependencies): LoginTypes {
  return new Map([
    ['m.login.password', passwordLogin(dependencies)],
    ['m.login.token', tokenLogin(dependencies)],
    ['m.login.application_service', appserviceLogin(dependencies)],
  ]);
}

function passwordLogin({ config, credentials }: LoginTypesDependencies): LoginType {
  const isOffered = config.password.isEnabled === true && config.password.usesDatabase;
  return {
    flow: () => (isOffered ? { type: 'm.login.password' } : null),
    async check(body) {
      if (!isOffered) throw new MatrixError('M_UNKNOWN', 'Password login has been disabled.');
      const password = body['password'];
      if (password === undefined) throw new MatrixError('M_MISSING_PARAM', 'password is missing');
      if (typeof password !== 'string') {
        throw new MatrixError('M_INVALID_PARAM', 'password must be a string');
      }
      return { account: await credentials.checkPassword(parseIdentifier(body), password) };
    },
  };
}

function tokenLogin({ config, credentials }: LoginTypesDependencies): LoginType {
  return {
    flow: () =>
      config.loginToken.isEnabled ? { type: 'm.login.token', get_login_token: true } : null,
    async check(body) {
      if (typeof body['token'] !== 'string') {
        throw new MatrixError('M_MISSING_PARAM', 'token is missing');
      }
      return credentials.takeLoginToken(body['token']);
    },
  };
}

function appserviceLogin({ directory, appservices }: LoginTypesDependencies): LoginType {
  return {
    flow: () => ({ type: 'm.login.application_service' }),
    async check(body, { accessToken }) {
      if (accessToken === null) throw new MatrixError('M_MISSING_TOKEN', 'Missing access token');
      const service = appservices.byToken(accessToken);
      if (!service) {
        throw new MatrixError(
          'M_UNKNOWN_TOKEN',
          'This login method is only valid for application services',
          { extra: { soft_logout: false } },
        );
      }
      if (service.managesDevices) {
        throw new MatrixError(
          'M_APPSERVICE_LOGIN_UNSUPPORTED',
          'This application service manages its devices, so it cannot log in.',
        );
      }
      const identifier = parseIdentifier(body);
      if (identifier.kind !== 'user') {
        throw new MatrixError('M_INVALID_PARAM', 'Unknown login identifier type');
      }
      const userId = directory.qualify(identifier.user);
      const account = isInterestedInUser(service, userId) ? await directory.byUserId(userId) : null;
      if (!account) {
        throw new MatrixError('M_FORBIDDEN', 'The application service has no such user.');
      }
      return { account };
    },
  };
}
