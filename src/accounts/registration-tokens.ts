import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import {
  holdRegistrationToken,
  reopenSession,
  selectRegistrationTokenUsable,
  useSession,
} from './store/registration-tokens.ts';

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
  };
}
