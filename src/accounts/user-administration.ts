import type { Database } from '../database/database.ts';
import type { AccountRow } from './store/accounts.ts';
import {
  filterParams,
  searchAccounts,
  selectFeatures,
  selectUserDetails,
  setFeatures,
  userPage,
  type ListedUser,
  type UserFilter,
  type UserOrder,
} from './store/user-administration.ts';

/** What a user has accepted, and been asked for, of the terms. */
export interface ConsentState {
  acceptedVersion: string | null;
  acceptedTs: number | null;
  notifiedVersion: string | null;
}

export interface WantedUsers extends Omit<UserFilter, 'userId' | 'localpart' | 'displayName'> {
  /** Part of the user id. */
  userId: string | null;
  /** Part of the localpart or of the name; takes the place of `userId`. */
  name: string | null;
  order: UserOrder;
  direction: 'asc' | 'desc';
  offset: number;
  limit: number;
}

/** Users as admins see them. Answers have the shapes of Synapse's admin API. */
export interface UserAdministration {
  list(wanted: WantedUsers): Promise<{ users: ListedUser[]; total: number }>;
  describe(account: AccountRow): Promise<Record<string, unknown>>;
  /** Users whose id has the text in it; the first of them. */
  search(text: string): Promise<Record<string, unknown>[]>;
  /** Proposals that an admin has switched on for the user. */
  featuresOf(userNid: number): Promise<ReadonlySet<string>>;
  setFeatures(userNid: number, features: Readonly<Record<string, boolean>>): Promise<void>;
}

export interface UserAdministrationNeeds {
  database: Database;
  /** Null: nothing is known. */
  consentOf(userNid: number): Promise<ConsentState | null>;
}

const searchedMax = 1_000;

/** The text as part of a pattern of `like`. */
const literally = (text: string) => text.replaceAll(/[\\%_]/g, '\\$&');

const containing = (text: string) => `%${literally(text)}%`;

export function createUserAdministration(needs: UserAdministrationNeeds): UserAdministration {
  const { database, consentOf } = needs;
  return {
    async list(wanted) {
      const { name, userId, order, direction } = wanted;
      const byName = name === null ? null : name.toLowerCase();
      const filter: UserFilter = {
        ...wanted,
        userId: byName === null && userId !== null ? containing(userId.toLowerCase()) : null,
        localpart: byName === null ? null : `@%${literally(byName)}%:%`,
        displayName: byName === null ? null : containing(byName),
      };
      const [found] = await database.query(
        userPage(order, direction),
        filterParams(filter, wanted),
      );
      return found!;
    },
    async describe(account) {
      const [[details], consent] = await Promise.all([
        database.query(selectUserDetails, [account.userNid]),
        consentOf(account.userNid),
      ]);
      return {
        name: account.userId,
        admin: account.isAdmin,
        deactivated: account.isDeactivated,
        locked: account.isLocked,
        suspended: account.isSuspended,
        shadow_banned: account.isShadowBanned,
        is_guest: account.isGuest,
        erased: account.isErased,
        // In seconds, unlike in the list: so it is in Synapse.
        creation_ts: Math.floor(account.createdTs / 1000),
        appservice_id: account.appserviceId,
        user_type: account.userType,
        consent_server_notice_sent: consent?.notifiedVersion ?? null,
        consent_version: consent?.acceptedVersion ?? null,
        consent_ts: consent?.acceptedTs ?? null,
        displayname: details!.displayName,
        avatar_url: details!.avatarUrl,
        threepids: details!.threepids,
        external_ids: details!.externalIds,
        last_seen_ts: details!.lastSeenTs,
      };
    },
    search: (text) => database.query(searchAccounts, [containing(text), searchedMax]),
    async featuresOf(userNid) {
      const rows = await database.query(selectFeatures, [userNid]);
      return new Set(rows.map(({ feature }) => feature));
    },
    async setFeatures(userNid, features) {
      const [names, values] = [Object.keys(features), Object.values(features)];
      await database.query(setFeatures, [userNid, names, values]);
    },
  };
}
