import type { Bus } from '../streams/bus.ts';
import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import { randomLetters } from '../kernel/random.ts';
import { lockedError } from './authentication.ts';
import type { AccountsConfig } from './config.ts';
import {
  deleteToken,
  insertLogin,
  insertPuppetToken,
  rotateRefreshToken,
  selectRefreshToken,
  type RefreshRow,
} from './store/tokens.ts';
import { sessionStream } from './streams.ts';
import type { AccountEvents, UserRef } from './subscribers.ts';
import type { TokenCache } from './token-cache.ts';
import { createToken, tokenHash } from './tokens.ts';
import { localpartOf } from './user-ids.ts';

/** Tokens made but not yet stored. */
export interface NewTokens {
  accessToken: string;
  validUntilTs: number | null;
  refreshToken: string | null;
  refreshValidUntilTs: number | null;
  sessionValidUntilTs: number | null;
}

/** What a client gets when a session begins. */
export interface SessionAnswer {
  user_id: string;
  home_server: string;
  device_id: string;
  access_token: string;
  expires_in_ms?: number;
  refresh_token?: string;
}

export interface DeviceWish {
  /** Null: the server chooses. */
  deviceId: string | null;
  displayName: string | null;
  /** The client can use refresh tokens. */
  refresh: boolean;
}

/** Begins, refreshes and ends sessions. */
export interface Sessions {
  /** Tokens for a session that begins now, with the lifetimes of the configuration. */
  newTokens(userId: string, refresh: boolean): NewTokens;
  answer(userId: string, deviceId: string, tokens: NewTokens): SessionAnswer;
  /**
   * One statement: the device, its tokens, and the end of its earlier tokens. Rejects with M_FORBIDDEN
   * for a device id that the user cannot have.
   */
  logIn(user: UserRef, wish: DeviceWish): Promise<SessionAnswer>;
  refresh(
    refreshToken: string,
  ): Promise<{ access_token: string; refresh_token: string; expires_in_ms?: number }>;
  /** A token without a device with which an admin acts as a user. */
  puppet(user: UserRef, puppeteerNid: number, validUntilTs: number | null): Promise<string>;
  endToken(userNid: number, tokenNid: number): Promise<void>;
  /** What is remembered of the user is void; resolves when every process knows. */
  changed(userNid: number): Promise<void>;
}

/** Longer device ids are refused. */
const deviceIdLengthMax = 512;
/**
 * How long an access token that was replaced by a refresh is still known as expired, so that a
 * client that slept learns to refresh instead of that it is logged out.
 */
const expiredTokenKeptMs = 7 * 24 * 60 * 60 * 1000;

export interface SessionsDependencies {
  database: Database;
  clock: Clock;
  config: AccountsConfig;
  bus: Bus;
  cache: TokenCache;
  events: AccountEvents;
}

export function createSessions(dependencies: SessionsDependencies): Sessions {
  const { database, clock, config, bus, cache, events } = dependencies;
  bus.subscribe(sessionStream, (rows) => {
    for (const { row } of rows) cache.dropUser(row.userNid);
  });
  bus.onMissed(() => cache.clear());

  async function changed(userNid: number): Promise<void> {
    bus.publish([{ stream: sessionStream, pos: bus.nextEphemeral(), row: { userNid } }]);
    await bus.delivered();
  }

  function newTokens(userId: string, refresh: boolean): NewTokens {
    const { sessions } = config;
    const after = (ms: number | null) => (ms === null ? null : clock.now() + ms);
    const sessionEnd = after(sessions.lifetimeMs);
    const isRefreshable = refresh && sessions.refreshableTokenLifetimeMs !== null;
    const tokenEnd = after(
      isRefreshable ? sessions.refreshableTokenLifetimeMs : sessions.nonRefreshableTokenLifetimeMs,
    );
    const localpart = localpartOf(userId);
    return {
      accessToken: createToken('syt', localpart),
      validUntilTs: earlier(tokenEnd, sessionEnd),
      refreshToken: isRefreshable ? createToken('syr', localpart) : null,
      refreshValidUntilTs: isRefreshable
        ? earlier(after(sessions.refreshTokenLifetimeMs), sessionEnd)
        : null,
      sessionValidUntilTs: isRefreshable ? sessionEnd : null,
    };
  }

  function answer(userId: string, deviceId: string, tokens: NewTokens): SessionAnswer {
    return {
      user_id: userId,
      home_server: config.serverName,
      device_id: deviceId,
      access_token: tokens.accessToken,
      ...expiry(tokens.validUntilTs, clock.now()),
      ...(tokens.refreshToken === null ? {} : { refresh_token: tokens.refreshToken }),
    };
  }

  async function logIn(user: UserRef, wish: DeviceWish): Promise<SessionAnswer> {
    const wanted = checkedDeviceId(wish.deviceId);
    if (wanted !== null) await events.deviceIdWanted(user, wanted);
    const deviceId = wanted ?? newDeviceId();
    const tokens = newTokens(user.userId, wish.refresh);
    const [made] = await database.query(insertLogin, [
      user.userNid,
      deviceId,
      wish.displayName,
      clock.now(),
      tokenHash(tokens.accessToken),
      tokens.validUntilTs,
      tokens.refreshToken === null ? null : tokenHash(tokens.refreshToken),
      tokens.refreshValidUntilTs,
      tokens.sessionValidUntilTs,
    ]);
    if (made!.replaced > 0) await changed(user.userNid);
    if (made!.isNew) await events.devicesAdded(user, [deviceId]);
    return answer(user.userId, deviceId, tokens);
  }

  async function refresh(refreshToken: string) {
    const oldHash = tokenHash(refreshToken);
    const [row] = await database.query(selectRefreshToken, [oldHash]);
    checkRefreshable(row, clock.now());
    const tokens = newTokens(row.userId, true);
    if (tokens.refreshToken === null) throw refreshRefused('refresh tokens are not in use', true);
    const validUntilTs = earlier(tokens.validUntilTs, row.sessionValidUntilTs);
    const [stored] = await database.query(rotateRefreshToken, [
      oldHash,
      tokenHash(tokens.refreshToken),
      earlier(tokens.refreshValidUntilTs, row.sessionValidUntilTs),
      tokenHash(tokens.accessToken),
      clock.now(),
      validUntilTs,
      clock.now() - expiredTokenKeptMs,
    ]);
    if (!stored) throw refreshRefused('refresh token has been used already', false);
    return {
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      ...expiry(validUntilTs, clock.now()),
    };
  }

  return {
    newTokens,
    answer,
    logIn,
    refresh,
    async puppet(user, puppeteerNid, validUntilTs) {
      const token = createToken('syt', localpartOf(user.userId));
      const hash = tokenHash(token);
      await database.query(insertPuppetToken, [
        hash,
        user.userNid,
        clock.now(),
        validUntilTs,
        puppeteerNid,
      ]);
      return token;
    },
    async endToken(userNid, tokenNid) {
      await database.query(deleteToken, [userNid, tokenNid]);
      await changed(userNid);
    },
    changed,
  };
}

/** Ten capital letters, as clients show them. */
export function newDeviceId(): string {
  return randomLetters(10).toUpperCase();
}

/** Throws M_INVALID_PARAM when the id cannot be used. Empty counts as not given. */
export function checkedDeviceId(deviceId: string | null): string | null {
  if (deviceId === null || deviceId === '') return null;
  if (deviceId.length > deviceIdLengthMax || deviceId.includes('\0')) {
    throw new MatrixError(
      'M_INVALID_PARAM',
      `device_id cannot be longer than ${deviceIdLengthMax} characters or contain NUL.`,
    );
  }
  return deviceId;
}

function earlier(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

function expiry(validUntilTs: number | null, now: number): { expires_in_ms?: number } {
  return validUntilTs === null ? {} : { expires_in_ms: validUntilTs - now };
}

function refreshRefused(message: string, isSoft: boolean): MatrixError {
  return new MatrixError('M_UNKNOWN_TOKEN', message, { extra: { soft_logout: isSoft } });
}

function checkRefreshable(row: RefreshRow | undefined, now: number): asserts row is RefreshRow {
  if (!row) throw refreshRefused('refresh token does not exist or has been used already', false);
  if (row.isDeactivated) {
    throw new MatrixError('M_USER_DEACTIVATED', 'This account has been deactivated');
  }
  if (row.isLocked) throw lockedError();
  const hasEnded = (ts: number | null) => ts !== null && ts <= now;
  if (hasEnded(row.validUntilTs) || hasEnded(row.sessionValidUntilTs)) {
    throw refreshRefused('The refresh token has expired', true);
  }
}
