import type { Database } from '../database/database.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { RateLimit } from '../http/rate-limit.ts';
import type { AccountDirectory } from './directory.ts';
import type { Devices } from './devices.ts';
import type { Profiles } from './profiles.ts';
import type { Sessions } from './sessions.ts';
import {
  deactivateAccount,
  reactivateAccount,
  selectRateLimit,
  updateAdmin,
  updateLocked,
  updatePasswordHash,
  updateRateLimit,
  updateShadowBanned,
  updateSuspended,
  updateUserType,
  updateValidUntil,
  type AccountRow,
} from './store/accounts.ts';
import type { AccountEvents, UserRef } from './subscribers.ts';
import { isUserId, serverNameOf } from './user-ids.ts';

/** Changes to an account as a whole: by its user, or by admins. */
export interface Moderation {
  /** Throws M_INVALID_PARAM for users of other servers. */
  checkIsLocal(userId: string): void;
  /** Also a deactivated one. Throws M_INVALID_PARAM for users of other servers, M_NOT_FOUND. */
  anyAccount(userId: string): Promise<AccountRow>;
  /** Throws M_INVALID_PARAM for users of other servers, M_NOT_FOUND for unknown or deactivated. */
  localAccount(userId: string): Promise<AccountRow>;
  setLocked(user: UserRef, isLocked: boolean): Promise<void>;
  setSuspended(user: UserRef, isSuspended: boolean): Promise<void>;
  /** The user's own rate limit; null: none is set. */
  ownRateLimit(user: UserRef): Promise<RateLimit | null>;
  /** A rate of 0: no limit at all. Null: the usual limits. */
  setOwnRateLimit(user: UserRef, limit: RateLimit | null): Promise<void>;
  setAdmin(user: UserRef, isAdmin: boolean): Promise<void>;
  setShadowBanned(user: UserRef, isShadowBanned: boolean): Promise<void>;
  setUserType(user: UserRef, userType: string | null): Promise<void>;
  /** Until when the account may be used, in milliseconds since 1970; null: for good. */
  setValidUntil(user: UserRef, validUntilTs: number | null): Promise<void>;
  setPasswordHash(user: UserRef, passwordHash: string | null): Promise<void>;
  /**
   * Ends the account: what serves its user alone goes (devices, tokens, contact addresses, account
   * data, key backups), and its rooms are left. `erase`: the profile goes too, and who comes to a room
   * later does not see what the user wrote there. As in Synapse; the specification leaves open what
   * goes without `erase`.
   */
  deactivate(user: UserRef, how: { erase: boolean }): Promise<void>;
  reactivate(user: UserRef, passwordHash: string | null): Promise<void>;
}

export interface ModerationDependencies {
  database: Database;
  serverName: string;
  directory: AccountDirectory;
  devices: Devices;
  profiles: Profiles;
  sessions: Sessions;
  events: AccountEvents;
}

export function createModeration(dependencies: ModerationDependencies): Moderation {
  const { database, serverName, directory, devices, profiles, sessions, events } = dependencies;

  function setter<T>(statement: Parameters<typeof database.query<[number, T], object>>[0]) {
    return async (user: UserRef, value: T) => {
      await database.query(statement, [user.userNid, value]);
      await sessions.changed(user.userNid);
    };
  }

  function checkIsLocal(userId: string): void {
    if (isUserId(userId) && serverNameOf(userId) === serverName) return;
    throw new MatrixError('M_INVALID_PARAM', 'User does not belong to the local server.');
  }

  const notFound = () => new MatrixError('M_NOT_FOUND', 'User not found.');

  async function anyAccount(userId: string): Promise<AccountRow> {
    checkIsLocal(userId);
    const account = await directory.byUserId(userId);
    if (!account) throw notFound();
    return account;
  }

  return {
    checkIsLocal,
    anyAccount,
    async localAccount(userId) {
      const account = await anyAccount(userId);
      if (account.isDeactivated) throw notFound();
      return account;
    },
    async ownRateLimit({ userNid }) {
      const [row] = await database.query(selectRateLimit, [userNid]);
      const { perSecond = null, burst = null } = row ?? {};
      return perSecond === null || burst === null ? null : { perSecond, burst };
    },
    async setOwnRateLimit({ userNid }, limit) {
      const params = [userNid, limit?.perSecond ?? null, limit?.burst ?? null] as const;
      await database.query(updateRateLimit, [...params]);
      await sessions.changed(userNid);
    },
    setLocked: setter(updateLocked),
    setSuspended: setter(updateSuspended),
    setAdmin: setter(updateAdmin),
    setShadowBanned: setter(updateShadowBanned),
    setUserType: setter(updateUserType),
    setValidUntil: setter(updateValidUntil),
    setPasswordHash: setter(updatePasswordHash),
    async deactivate(user, how) {
      // First, so that nobody can log in any more whatever happens to the rest.
      await database.query(deactivateAccount, [user.userNid, how.erase]);
      await devices.deleteAll(user);
      if (how.erase) await profiles.remove(user);
      await events.deactivated(user, how);
    },
    reactivate: setter(reactivateAccount),
  };
}
