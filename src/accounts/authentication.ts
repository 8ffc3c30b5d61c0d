import type { RateLimit } from '../http/rate-limit.ts';
import type {
  AppserviceRegistration,
  AppserviceRegistrations,
} from '../appservices/registrations.ts';
import { isInterestedInUser } from '../appservices/registrations.ts';
import type { Database } from '../database/database.ts';
import type { Bus } from '../streams/bus.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Connections } from './connections.ts';
import { markTokenUsed, selectMasquerade, selectToken, type TokenRow } from './store/tokens.ts';
import type { AccountRequester, CachedToken, TokenCache } from './token-cache.ts';
import { tokenHash } from './tokens.ts';

/** Where a request comes from. */
export interface RequestOrigin {
  remoteAddress: string;
  userAgent: string;
}

/** The query parameters by which an application service says whom it acts as. */
export interface IdentityAssertion {
  user_id?: string | undefined;
  device_id?: string | undefined;
  'org.matrix.msc3202.device_id'?: string | undefined;
}

export interface AuthenticateOptions {
  /** Guests may pass. */
  guests: boolean;
  /** Locked users may pass: they can log out. */
  locked?: boolean;
  /** Users whose accounts have expired may pass: they can renew them. */
  expired?: boolean;
}

/** Finds out who sends a request. */
export interface Authenticator {
  /**
   * The user an access token stands for. Synchronous when the token is remembered.
   * Throws, or rejects with, M_MISSING_TOKEN, M_UNKNOWN_TOKEN, M_USER_LOCKED,
   * M_USER_DEACTIVATED, ORG_MATRIX_EXPIRED_ACCOUNT, M_GUEST_ACCESS_FORBIDDEN; for application services M_FORBIDDEN.
   */
  authenticate(
    token: string | null,
    query: IdentityAssertion,
    origin: RequestOrigin,
    options: AuthenticateOptions,
  ): AccountRequester | Promise<AccountRequester>;
}

/** How long a checked token is believed without asking again, should a message have been lost. */
const recheckMs = 5 * 60 * 1000;
/** How often the use of one connection is recorded. */
const seenIntervalMs = 60 * 1000;

export interface AuthenticatorDependencies {
  database: Database;
  clock: Clock;
  cache: TokenCache;
  bus: Pick<Bus, 'hearsOthers'>;
  connections: Connections;
  appservices: AppserviceRegistrations;
  /** Accounts that were to be renewed and were not can do nothing. */
  accountsExpire: boolean;
  /** What application services do for their users counts as a use by these. */
  tracksAppserviceUsers: boolean;
  /** Makes the account of an application service's own user; nothing when there is one. */
  registerSender(service: AppserviceRegistration): Promise<void>;
}

export function createAuthenticator(dependencies: AuthenticatorDependencies): Authenticator {
  const { bus, cache, clock, connections, appservices } = dependencies;
  const loading = new Map<string, { promise: Promise<CachedToken>; generation: number }>();

  function admit(
    token: CachedToken,
    origin: RequestOrigin,
    options: AuthenticateOptions,
  ): AccountRequester {
    const { requester } = token;
    if (token.isLocked && !options.locked) throw lockedError();
    if (requester.isGuest && !options.guests) {
      throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guest access not allowed');
    }
    const now = clock.now();
    if (token.accountValidUntilTs <= now && !options.expired) throw expiredError();
    if (
      (requester.appservice === null || dependencies.tracksAppserviceUsers) &&
      !requester.isPuppet &&
      (now - token.seenTs >= seenIntervalMs ||
        token.seenIp !== origin.remoteAddress ||
        token.seenUserAgent !== origin.userAgent)
    ) {
      token.seenTs = now;
      token.seenIp = origin.remoteAddress;
      token.seenUserAgent = origin.userAgent;
      const { remoteAddress: ip, userAgent } = origin;
      connections.record(requester.userNid, requester.deviceNid, { ip, userAgent, ts: now });
    }
    return requester;
  }

  function load(key: string, read: () => Promise<CachedToken>): Promise<CachedToken> {
    const generation = cache.generation();
    const underway = loading.get(key);
    // One that began before something changed may bring what was before.
    if (underway?.generation === generation) return underway.promise;
    const promise = read()
      .then((token) => {
        if (generation === cache.generation()) cache.set(key, token);
        return token;
      })
      .finally(() => {
        if (loading.get(key)?.promise === promise) loading.delete(key);
      });
    loading.set(key, { promise, generation });
    return promise;
  }

  return {
    authenticate(token, query, origin, options) {
      if (token === null || token === '') {
        throw new MatrixError('M_MISSING_TOKEN', 'Missing access token');
      }
      const service = appservices.byToken(token);
      const userId = service ? (query.user_id ?? service.sender) : null;
      const deviceId = query.device_id ?? query['org.matrix.msc3202.device_id'] ?? '';
      const key = service ? `${token}\n${userId}\n${deviceId}` : token;
      const cached = bus.hearsOthers() ? cache.get(key) : undefined;
      const now = clock.now();
      if (cached && cached.recheckTs > now && cached.validUntilTs > now) {
        return admit(cached, origin, options);
      }
      cache.delete(key);
      const read = service
        ? () => readMasquerade(dependencies, service, userId!, deviceId === '' ? null : deviceId)
        : () => readToken(dependencies, token);
      return load(key, read).then((loaded) => admit(loaded, origin, options));
    },
  };
}

/** A locked user is to keep its data and wait: hence the soft log-out. */
export function lockedError(): MatrixError {
  return new MatrixError('M_USER_LOCKED', 'This account has been locked', {
    extra: { soft_logout: true },
  });
}

const expiredError = () =>
  new MatrixError('ORG_MATRIX_EXPIRED_ACCOUNT', 'This account has expired and must be renewed');

function unknownToken(message: string, isSoft: boolean): MatrixError {
  return new MatrixError('M_UNKNOWN_TOKEN', message, { extra: { soft_logout: isSoft } });
}

function remembered(
  clock: Clock,
  requester: AccountRequester,
  row: { validUntilTs: number | null; isLocked: boolean; accountValidUntilTs: number | null },
): CachedToken {
  return {
    requester,
    validUntilTs: row.validUntilTs ?? Number.POSITIVE_INFINITY,
    isLocked: row.isLocked,
    accountValidUntilTs: row.accountValidUntilTs ?? Number.POSITIVE_INFINITY,
    recheckTs: clock.now() + recheckMs,
    seenTs: 0,
    seenIp: '',
    seenUserAgent: '',
  };
}

async function readToken(
  { database, clock, accountsExpire }: AuthenticatorDependencies,
  token: string,
): Promise<CachedToken> {
  const hash = tokenHash(token);
  const [row] = await database.query(selectToken, [hash]);
  if (!row) throw unknownToken('Invalid access token passed.', false);
  checkUsable(row, clock.now());
  if (!row.isUsed && row.refreshNid !== null) {
    await database.query(markTokenUsed, [hash, row.refreshNid]);
  }
  return remembered(
    clock,
    {
      userId: row.userId,
      userNid: row.userNid,
      deviceId: row.deviceId,
      deviceNid: row.deviceNid,
      tokenNid: row.tokenNid,
      isGuest: row.isGuest,
      isAdmin: row.isAdmin,
      isShadowBanned: row.isShadowBanned,
      isSuspended: row.isSuspended,
      appservice: null,
      isPuppet: row.isPuppet,
      ...ownRateLimitIn(row),
    },
    accountsExpire ? row : { ...row, accountValidUntilTs: null },
  );
}

/** A limit that an admin has set; a rate of 0 is none at all, as with Synapse. */
function ownRateLimitIn({ ratePerSecond, rateBurst }: TokenRow): {
  ownRateLimit?: RateLimit | null;
} {
  if (ratePerSecond === null || rateBurst === null) return {};
  const isUnlimited = ratePerSecond === 0;
  return { ownRateLimit: isUnlimited ? null : { perSecond: ratePerSecond, burst: rateBurst } };
}

function checkUsable(row: TokenRow, now: number): void {
  if (row.isDeactivated) {
    throw new MatrixError('M_USER_DEACTIVATED', 'This account has been deactivated');
  }
  if (row.validUntilTs !== null && row.validUntilTs <= now) {
    throw unknownToken('Access token has expired', true);
  }
}

async function readMasquerade(
  { database, clock, registerSender }: AuthenticatorDependencies,
  service: AppserviceRegistration,
  userId: string,
  deviceId: string | null,
): Promise<CachedToken> {
  if (!isInterestedInUser(service, userId)) {
    throw new MatrixError('M_FORBIDDEN', 'Application service cannot masquerade as this user.');
  }
  let [row] = await database.query(selectMasquerade, [userId, deviceId]);
  if (!row && userId === service.sender) {
    // Its registration file is all that a service needs to act as itself.
    await registerSender(service);
    [row] = await database.query(selectMasquerade, [userId, deviceId]);
  }
  if (!row) {
    throw new MatrixError('M_FORBIDDEN', 'Application service has not registered this user.');
  }
  if (row.isDeactivated) {
    throw new MatrixError('M_USER_DEACTIVATED', 'This account has been deactivated');
  }
  if (deviceId !== null && row.deviceNid === null) {
    throw new MatrixError('M_UNKNOWN', 'The user has no device with this device_id', {
      extra: { errcode: 'M_UNKNOWN_DEVICE' },
    });
  }
  const { id, sender, rateLimited } = service;
  return remembered(
    clock,
    {
      userId,
      userNid: row.userNid,
      deviceId,
      deviceNid: row.deviceNid,
      tokenNid: null,
      isGuest: false,
      isAdmin: row.isAdmin,
      isShadowBanned: row.isShadowBanned,
      isSuspended: row.isSuspended,
      appservice: { id, sender, rateLimited },
    },
    { validUntilTs: null, isLocked: row.isLocked, accountValidUntilTs: null },
  );
}
