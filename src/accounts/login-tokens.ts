import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { localpartOf } from '../matrix/ids.ts';
import type { AccountsConfig } from './config.ts';
import { insertLoginToken } from './store/tokens.ts';
import type { UserRef } from './subscribers.ts';
import { createToken, tokenHash } from './tokens.ts';

/** A single-use token for m.login.token. Source: CS 1.19, "Token-based" log-in. */
export async function insertLoginTokenFor(
  needs: { database: Database; clock: Clock; config: AccountsConfig },
  user: UserRef,
): Promise<{ login_token: string; expires_in_ms: number }> {
  const { lifetimeMs } = needs.config.loginToken;
  const token = createToken('syl', localpartOf(user.userId));
  const validUntilTs = needs.clock.now() + lifetimeMs;
  await needs.database.query(insertLoginToken, [
    tokenHash(token),
    user.userNid,
    validUntilTs,
    null,
    null,
  ]);
  return { login_token: token, expires_in_ms: lifetimeMs };
}
