import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { localpartOf } from '../matrix/ids.ts';
import { insertLoginToken } from './store/tokens.ts';
import type { UserRef } from './subscribers.ts';
import { createToken, tokenHash } from './tokens.ts';

export interface LoginTokenWish {
  lifetimeMs: number;
  /** The identity provider at which the user was, and the session there, if it has a name. */
  provider?: { id: string; sessionId: string | null };
  /** What the client is told at the log-in besides. */
  extra?: Readonly<Record<string, unknown>> | null;
}

/** Single-use tokens for m.login.token. Source: CS 1.19, "Token-based" log-in. */
export interface LoginTokens {
  issue(
    user: UserRef,
    wish: LoginTokenWish,
  ): Promise<{ login_token: string; expires_in_ms: number }>;
}

export function createLoginTokens(database: Database, clock: Clock): LoginTokens {
  return {
    async issue({ userId, userNid }, { lifetimeMs, provider, extra }) {
      const token = createToken('syl', localpartOf(userId));
      await database.query(insertLoginToken, [
        tokenHash(token),
        userNid,
        clock.now() + lifetimeMs,
        provider?.id ?? null,
        provider?.sessionId ?? null,
        extra ? JSON.stringify(extra) : null,
      ]);
      return { login_token: token, expires_in_ms: lifetimeMs };
    },
  };
}
