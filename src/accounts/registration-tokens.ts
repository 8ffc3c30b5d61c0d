import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import {
  completeRegistrationToken,
  selectRegistrationTokenUsable,
} from './store/registration-tokens.ts';

/** Tokens that let people register. */
export interface RegistrationTokens {
  isUsable(token: string): Promise<boolean>;
  /** An account has been made with the token. */
  complete(token: string): Promise<void>;
}

export function createRegistrationTokens(database: Database, clock: Clock): RegistrationTokens {
  return {
    async isUsable(token) {
      const [row] = await database.query(selectRegistrationTokenUsable, [token, clock.now()]);
      return row?.isUsable ?? false;
    },
    async complete(token) {
      await database.query(completeRegistrationToken, [token]);
    },
  };
}
