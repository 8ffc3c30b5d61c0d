import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import {
  deleteRegistrationToken,
  holdRegistrationToken,
  insertRegistrationToken,
  reopenSession,
  selectRegistrationToken,
  selectRegistrationTokens,
  selectRegistrationTokenUsable,
  updateRegistrationToken,
  useSession,
  type TokenRow,
} from './store/registration-tokens.ts';

/** How often, and until when (milliseconds since 1970), a token is good; null: without a limit. */
export interface TokenLimits {
  usesAllowed: number | null;
  expiryTs: number | null;
}

/** Tokens that let people register. */
export interface RegistrationTokens {
  isUsable(token: string): Promise<boolean>;
  /**
   * Holds a token for a session that is stored, until an account is made or the session ends. Gives the
   * token that the session holds by then, which may be another; null: the token cannot be used.
   */
  hold(token: string, sessionId: string): Promise<string | null>;
  /**
   * The session, which is stored, leads to an account now: the token that it holds, if any, is used.
   * False: it has led to one before, perhaps in another process just now.
   */
  use(sessionId: string, username: string): Promise<boolean>;
  /** There was no account in the end: the session holds the token as before. */
  reopen(sessionId: string): Promise<void>;
  /** Those that can be used, those that cannot, or with null all. */
  list(isUsable: boolean | null): Promise<TokenRow[]>;
  get(token: string): Promise<TokenRow | null>;
  /** Null: there is one of this name. */
  create(token: string, limits: TokenLimits): Promise<TokenRow | null>;
  /** What is not named stays. Null: there is no such token. */
  update(token: string, limits: Partial<TokenLimits>): Promise<TokenRow | null>;
  /** False: there is no such token. */
  delete(token: string): Promise<boolean>;
}

export function createRegistrationTokens(database: Database, clock: Clock): RegistrationTokens {
  return {
    async isUsable(token) {
      const [row] = await database.query(selectRegistrationTokenUsable, [token, clock.now()]);
      return row?.isUsable ?? false;
    },
    async hold(token, sessionId) {
      const [row] = await database.query(holdRegistrationToken, [token, clock.now(), sessionId]);
      return row?.token ?? null;
    },
    async use(sessionId, username) {
      return (await database.query(useSession, [sessionId, username])).length > 0;
    },
    async reopen(sessionId) {
      await database.query(reopenSession, [sessionId]);
    },
    list: (isUsable) => database.query(selectRegistrationTokens, [isUsable, clock.now()]),
    async get(token) {
      return (await database.query(selectRegistrationToken, [token]))[0] ?? null;
    },
    async create(token, { usesAllowed, expiryTs }) {
      const params = [token, usesAllowed, expiryTs] as const;
      return (await database.query(insertRegistrationToken, [...params]))[0] ?? null;
    },
    async update(token, { usesAllowed, expiryTs }) {
      const [row] = await database.query(updateRegistrationToken, [
        token,
        usesAllowed !== undefined,
        usesAllowed ?? null,
        expiryTs !== undefined,
        expiryTs ?? null,
      ]);
      return row ?? null;
    },
    async delete(token) {
      return (await database.query(deleteRegistrationToken, [token])).length > 0;
    },
  };
}
