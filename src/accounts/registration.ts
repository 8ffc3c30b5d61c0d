import type {
  AppserviceRegistration,
  AppserviceRegistrations,
} from '../appservices/registrations.ts';
import { isInterestedInUser } from '../appservices/registrations.ts';
import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { AccountsConfig } from './config.ts';
import type { AccountDirectory } from './directory.ts';
import {
  checkedDeviceId,
  newDeviceId,
  type DeviceWish,
  type SessionAnswer,
  type Sessions,
} from './sessions.ts';
import { insertAccount, nextLocalpart, upgradeGuest, type AccountRow } from './store/accounts.ts';
import type { AccountEvents } from './subscribers.ts';
import { tokenHash } from './tokens.ts';
import { localpartOf } from './user-ids.ts';
import { userIdFor } from './usernames.ts';

/** An account that is to be made. */
export interface NewAccount {
  /** Null: the server picks one. */
  userId: string | null;
  passwordHash: string | null;
  isGuest?: boolean;
  isAdmin?: boolean;
  userType?: string | null;
  appserviceId?: string | null;
  /** Undefined: the localpart. Null: none. */
  displayName?: string | null | undefined;
  /** By which an identity provider knows the user; it is stored in the same statement. */
  externalId?: ExternalId | null;
  /** The first device; null: no log-in. */
  device: DeviceWish | null;
}

/** By which id an identity provider knows a user. */
export interface ExternalId {
  authProvider: string;
  externalId: string;
}

export interface Registered {
  userId: string;
  userNid: number;
  /** Null without a device. */
  session: SessionAnswer | null;
}

/** Makes accounts. */
export interface Registration {
  /** Throws M_USER_IN_USE, M_INVALID_USERNAME, M_EXCLUSIVE. */
  checkAvailable(username: string): Promise<string>;
  /** The user id an application service asks for. Throws M_EXCLUSIVE, M_INVALID_USERNAME. */
  appserviceUserId(username: string, service: AppserviceRegistration): string;
  /**
   * One statement. Rejects with M_USER_IN_USE, and with `isDuplicate` when another account has the
   * external id; then there is no account.
   */
  register(account: NewAccount): Promise<Registered>;
  /** Makes the account of an application service's own user; nothing when there is one. */
  registerSender(service: AppserviceRegistration): Promise<void>;
  /** A guest's account becomes a full one under the same user id. */
  upgradeGuest(guest: AccountRow, passwordHash: string | null): Promise<void>;
}

/** Generated localparts can be taken already by accounts from elsewhere; then the next is tried. */
const generatedAttemptsMax = 10;

export interface RegistrationDependencies {
  database: Database;
  clock: Clock;
  config: AccountsConfig;
  appservices: AppserviceRegistrations;
  directory: AccountDirectory;
  sessions: Sessions;
  events: AccountEvents;
}

export function createRegistration(dependencies: RegistrationDependencies): Registration {
  const { database, clock, config, appservices, directory, sessions, events } = dependencies;

  /** Null when the user id is taken. */
  async function insert(account: NewAccount, userId: string): Promise<Registered | null> {
    const { device } = account;
    const deviceId = device ? (checkedDeviceId(device.deviceId) ?? newDeviceId()) : null;
    const tokens = device ? sessions.newTokens(userId, device.refresh) : null;
    const displayName =
      account.displayName === undefined ? localpartOf(userId) : account.displayName;
    const [row] = await database.query(insertAccount, [
      userId,
      account.passwordHash,
      clock.now(),
      account.userType ?? config.registration.defaultUserType,
      account.appserviceId ?? null,
      account.isGuest ?? false,
      account.isAdmin ?? false,
      displayName === null ? null : JSON.stringify(displayName),
      deviceId,
      device?.displayName ?? null,
      tokens && tokenHash(tokens.accessToken),
      tokens?.validUntilTs ?? null,
      tokens?.refreshToken ? tokenHash(tokens.refreshToken) : null,
      tokens?.refreshValidUntilTs ?? null,
      tokens?.sessionValidUntilTs ?? null,
      account.externalId?.authProvider ?? null,
      account.externalId?.externalId ?? null,
    ]);
    if (!row) return null;
    const user = { userId, userNid: row.userNid };
    await events.registered({ ...user, isGuest: account.isGuest ?? false });
    if (deviceId !== null) await events.devicesAdded(user, [deviceId]);
    if (displayName !== null) {
      const change = { field: 'displayname', value: displayName };
      await events.profileChanged(user, [change], { propagate: false });
    }
    return {
      ...user,
      session: tokens && deviceId !== null ? sessions.answer(userId, deviceId, tokens) : null,
    };
  }

  return {
    async checkAvailable(username) {
      const userId = userIdFor(username.toLowerCase(), config, appservices);
      if (await directory.byUserId(userId)) throw inUse();
      return userId;
    },
    appserviceUserId(username, service) {
      const userId = userIdFor(username, config, appservices, { appserviceId: service.id });
      const owner = appservices.exclusiveFor(userId);
      if (!isInterestedInUser(service, userId) || (owner && owner.id !== service.id)) {
        throw new MatrixError(
          'M_EXCLUSIVE',
          'Invalid user localpart for this application service.',
        );
      }
      return userId;
    },
    async register(account) {
      if (account.userId !== null) {
        const registered = await insert(account, account.userId);
        if (!registered) throw inUse();
        return registered;
      }
      for (let attempt = 0; attempt < generatedAttemptsMax; attempt++) {
        const [next] = await database.query(nextLocalpart, []);
        const userId = `@${next!.localpart}:${config.serverName}`;
        if (appservices.exclusiveFor(userId)) continue;
        const registered = await insert(account, userId);
        if (registered) return registered;
      }
      throw new Error('no free generated user id was found');
    },
    async registerSender({ id, sender }) {
      const account = { userId: sender, passwordHash: null, appserviceId: id, device: null };
      await insert(account, sender);
    },
    async upgradeGuest(guest, passwordHash) {
      const upgraded = await database.query(upgradeGuest, [guest.userNid, passwordHash]);
      if (upgraded.length === 0) throw inUse();
      await sessions.changed(guest.userNid);
    },
  };
}

function inUse(): MatrixError {
  return new MatrixError('M_USER_IN_USE', 'User ID already taken.');
}
