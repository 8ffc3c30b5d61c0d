import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import { lockedError } from './authentication.ts';
import type { AccountsConfig } from './config.ts';
import type { AccountDirectory } from './directory.ts';
import type { LoginLimiter } from './limiter.ts';
import type { LoginProof } from './login-types.ts';
import { hashPassword, verifyPassword } from './password-hash.ts';
import { canonicalMsisdn } from './phone-numbers.ts';
import { updatePasswordHash, type AccountRow } from './store/accounts.ts';
import { takeLoginToken } from './store/tokens.ts';
import { tokenHash } from './tokens.ts';

/** What a client says about who logs in; the spec's identifier types and the older forms. */
export interface IdentifierInput {
  identifier?: unknown;
  user?: unknown;
  medium?: unknown;
  address?: unknown;
}

/** Whom an identifier names. */
export type Identifier =
  | { kind: 'user'; user: string }
  | { kind: 'threepid'; medium: string; address: string }
  | { kind: 'phone'; country: string; number: string };

/** A phone number as it is stored; one that makes no sense is nobody's. */
async function threepidOf(identifier: Exclude<Identifier, { kind: 'user' }>) {
  if (identifier.kind === 'threepid') return identifier;
  const { country, number } = identifier;
  const address = await canonicalMsisdn(country, number).catch(() => number);
  return { medium: 'msisdn', address };
}

/** Checks passwords and log-in tokens. */
export interface Credentials {
  /**
   * The account that the identifier and password belong to. Rejects with M_FORBIDDEN when they do
   * not fit, M_USER_DEACTIVATED, M_LIMIT_EXCEEDED after too many failures.
   */
  checkPassword(identifier: Identifier, password: string): Promise<AccountRow>;
  /** The user a log-in token was made for; the token is used up. */
  takeLoginToken(token: string): Promise<LoginProof>;
}

export interface CredentialsDependencies {
  database: Database;
  clock: Clock;
  config: AccountsConfig;
  directory: AccountDirectory;
  limiter: LoginLimiter;
}

export function createCredentials(dependencies: CredentialsDependencies): Credentials {
  const { database, clock, config, directory, limiter } = dependencies;
  const pepper = config.password.pepper;

  /** Hashes as much as for an account that exists, so that time does not tell. */
  let decoy: Promise<string> | null = null;
  async function spendTime(password: string): Promise<void> {
    decoy ??= hashPassword('', pepper);
    await verifyPassword(password, pepper, await decoy);
  }

  return {
    async checkPassword(identifier, password) {
      const threepid = identifier.kind === 'user' ? null : await threepidOf(identifier);
      const subject =
        identifier.kind === 'user'
          ? directory.qualify(identifier.user).toLowerCase()
          : `${threepid!.medium}:${threepid!.address}`;
      limiter.check('failed_attempts', subject);
      const account =
        identifier.kind === 'user'
          ? await directory.byName(identifier.user)
          : await directory.byThreepid(threepid!.medium, threepid!.address);
      const refuse = () => {
        limiter.count('failed_attempts', subject);
        throw new MatrixError('M_FORBIDDEN', 'Invalid username or password');
      };
      const hash = account?.passwordHash;
      if (!account || !hash) {
        await spendTime(password);
        // Its password is gone, so that none is right or wrong.
        if (account?.isDeactivated) throw deactivated();
        return refuse();
      }
      const { ok, needsRehash } = await verifyPassword(password, pepper, hash);
      if (!ok) return refuse();
      if (needsRehash) {
        const newer = await hashPassword(password, pepper);
        await database.query(updatePasswordHash, [account.userNid, newer]);
      }
      return account;
    },
    async takeLoginToken(token) {
      const invalid = () => new MatrixError('M_FORBIDDEN', 'Invalid login token');
      const [taken] = await database.query(takeLoginToken, [tokenHash(token)]);
      if (!taken || taken.validUntilTs < clock.now()) throw invalid();
      const account = await directory.byUserId(taken.userId);
      if (!account) throw invalid();
      const { authProviderId, authProviderSessionId, extraAttributes } = taken;
      return {
        account,
        authSession:
          authProviderId !== null && authProviderSessionId !== null
            ? { providerId: authProviderId, sessionId: authProviderSessionId }
            : null,
        ...(extraAttributes === null
          ? {}
          : { extra: JSON.parse(extraAttributes) as Record<string, unknown> }),
      };
    },
  };
}

const deactivated = () =>
  new MatrixError('M_USER_DEACTIVATED', 'This account has been deactivated');

/** Deactivated and locked accounts cannot log in; suspended ones can. */
export function checkMayLogIn(account: AccountRow): void {
  if (account.isDeactivated) throw deactivated();
  if (account.isLocked) throw lockedError();
}

/** Reads an identifier in any of its forms. Throws M_MISSING_PARAM, M_INVALID_PARAM, M_UNKNOWN. */
export function parseIdentifier(input: IdentifierInput): Identifier {
  if (input.identifier === undefined) return parseOldIdentifier(input);
  if (typeof input.identifier !== 'object' || input.identifier === null) {
    throw new MatrixError('M_INVALID_PARAM', 'identifier must be an object');
  }
  const given = input.identifier as Record<string, unknown>;
  switch (given['type']) {
    case 'm.id.user':
      return { kind: 'user', user: textOf(given, 'user') };
    case 'm.id.thirdparty':
      return {
        kind: 'threepid',
        medium: textOf(given, 'medium'),
        address: textOf(given, 'address'),
      };
    case 'm.id.phone': {
      const number = given['phone'] ?? given['number'];
      if (typeof number !== 'string') throw new MatrixError('M_MISSING_PARAM', 'phone is missing');
      const { country } = given;
      return { kind: 'phone', country: typeof country === 'string' ? country : '', number };
    }
    case undefined:
      throw new MatrixError('M_MISSING_PARAM', "Login identifier has no 'type'");
    default:
      throw new MatrixError('M_UNKNOWN', 'Unknown login identifier type');
  }
}

function parseOldIdentifier(input: IdentifierInput): Identifier {
  if (typeof input.user === 'string') return { kind: 'user', user: input.user };
  if (typeof input.medium === 'string' && typeof input.address === 'string') {
    return { kind: 'threepid', medium: input.medium, address: input.address };
  }
  throw new MatrixError('M_MISSING_PARAM', 'Missing identifier of the user');
}

function textOf(given: Record<string, unknown>, key: string): string {
  const value = given[key];
  if (value === undefined) throw new MatrixError('M_MISSING_PARAM', `identifier.${key} is missing`);
  if (typeof value !== 'string') {
    throw new MatrixError('M_INVALID_PARAM', `identifier.${key} must be a string`);
  }
  return value;
}
