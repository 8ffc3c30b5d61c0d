import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { randomLetters } from '../kernel/random.ts';
import { insertOpenIdToken, selectOpenIdToken } from './store/tokens.ts';
import type { UserRef } from './subscribers.ts';
import { tokenHash } from './tokens.ts';

/** Tokens with which a user proves to a third party who it is. Source: CS 1.19, "OpenID". */
export interface OpenId {
  issue(user: UserRef): Promise<{ token: string; lifetimeMs: number }>;
  /** The user of a token that is valid; for the federation's `openid/userinfo`. */
  userOf(token: string): Promise<string | null>;
}

const lifetimeMs = 60 * 60 * 1000;

export function createOpenId(database: Database, clock: Clock): OpenId {
  return {
    async issue(user) {
      const token = randomLetters(24);
      const validUntilTs = clock.now() + lifetimeMs;
      await database.query(insertOpenIdToken, [tokenHash(token), user.userNid, validUntilTs]);
      return { token, lifetimeMs };
    },
    async userOf(token) {
      const [row] = await database.query(selectOpenIdToken, [tokenHash(token), clock.now()]);
      return row?.userId ?? null;
    },
  };
}
