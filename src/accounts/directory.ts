import type { Database } from '../database/database.ts';
import {
  selectAccountByThreepid,
  selectAccounts,
  selectErased,
  selectGuests,
  type AccountRow,
} from './store/accounts.ts';
import { isUserId, serverNameOf } from './user-ids.ts';

/** Finds accounts by what people type. */
export interface AccountDirectory {
  /** The account with exactly this user id. */
  byUserId(userId: string): Promise<AccountRow | null>;
  /** Those of the user ids that have an account. */
  takenAmong(userIds: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * The account for what was typed at log-in: a user id or a localpart, whatever its case. Null
   * when there is none, or the user id is not of this server.
   */
  byName(name: string): Promise<AccountRow | null>;
  byThreepid(medium: string, address: string): Promise<AccountRow | null>;
  /** Those of the users who want what they wrote to be hidden. */
  erasedAmong(userNids: readonly number[]): Promise<ReadonlySet<number>>;
  /** Those of the users who are guests. */
  guestsAmong(userNids: readonly number[]): Promise<ReadonlySet<number>>;
  /** The full user id for a localpart or user id. */
  qualify(name: string): string;
}

export function createAccountDirectory(database: Database, serverName: string): AccountDirectory {
  const qualify = (name: string) => (name.startsWith('@') ? name : `@${name}:${serverName}`);
  return {
    qualify,
    async byUserId(userId) {
      const [row] = await database.query(selectAccounts, [[userId]]);
      return row ?? null;
    },
    async takenAmong(userIds) {
      const rows = await database.query(selectAccounts, [[...userIds]]);
      return new Set(rows.map(({ userId }) => userId));
    },
    async byName(name) {
      const userId = qualify(name);
      if (!isUserId(userId) || serverNameOf(userId) !== serverName) return null;
      const lower = userId.toLowerCase();
      const rows = await database.query(selectAccounts, [
        lower === userId ? [userId] : [userId, lower],
      ]);
      return rows.find((row) => row.userId === userId) ?? rows[0] ?? null;
    },
    async byThreepid(medium, address) {
      const canonical = canonicalAddress(medium, address);
      const [row] = await database.query(selectAccountByThreepid, [medium, canonical]);
      return row ?? null;
    },
    async erasedAmong(userNids) {
      const rows = await database.query(selectErased, [userNids]);
      return new Set(rows.map((row) => row.userNid));
    },
    async guestsAmong(userNids) {
      const rows = await database.query(selectGuests, [userNids]);
      return new Set(rows.map((row) => row.userNid));
    },
  };
}

/** E-mail addresses are compared without case, phone numbers by their digits. */
export function canonicalAddress(medium: string, address: string): string {
  if (medium === 'email') return address.trim().toLowerCase();
  return medium === 'msisdn' ? address.replaceAll(/\D/g, '') : address;
}
