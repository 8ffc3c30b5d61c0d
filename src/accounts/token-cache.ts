import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Requester } from '../http/endpoint.ts';

/** What is remembered of a checked access token. */
export interface CachedToken {
  readonly requester: AccountRequester;
  /** Milliseconds since 1970; Infinity when it does not expire. */
  readonly validUntilTs: number;
  readonly isLocked: boolean;
  /** Milliseconds since 1970; Infinity when the account does not expire. */
  readonly accountValidUntilTs: number;
  /** When the database is asked again. */
  readonly recheckTs: number;
  /** The connection recorded last, so that a busy device is recorded once a minute. */
  seenTs: number;
  seenIp: string;
  seenUserAgent: string;
}

/** A requester with what only some endpoints ask for. */
export interface AccountRequester extends Requester {
  isSuspended: boolean;
  /** An admin acts as the user. */
  isPuppet?: boolean;
}

/** Tokens remembered; about 600 bytes each. */
const cachedTokensMax = 100_000;

/** Checked access tokens by their text, and by user so that a user's can be dropped together. */
export interface TokenCache {
  get(key: string): CachedToken | undefined;
  set(key: string, token: CachedToken): void;
  delete(key: string): void;
  /** Drops everything known of a user. */
  dropUser(userNid: number): void;
  clear(): void;
  /** Changes with every drop: what was read from the database before may be outdated. */
  generation(): number;
}

export function createTokenCache(max = cachedTokensMax): TokenCache {
  const keysByUser = new Map<number, Set<string>>();
  let generation = 0;
  const tokens = boundedCache<string, CachedToken>(max, {
    dispose(token, key) {
      const userNid = token.requester.userNid;
      const keys = keysByUser.get(userNid);
      keys?.delete(key);
      if (keys?.size === 0) keysByUser.delete(userNid);
    },
  });
  return {
    get: (key) => tokens.get(key),
    set(key, token) {
      tokens.set(key, token);
      const keys = keysByUser.get(token.requester.userNid) ?? new Set();
      keys.add(key);
      keysByUser.set(token.requester.userNid, keys);
    },
    delete: (key) => void tokens.delete(key),
    dropUser(userNid) {
      generation++;
      // A copy: dropping a token takes its key out of the set.
      const keys = Array.from(keysByUser.get(userNid) ?? []);
      for (const key of keys) tokens.delete(key);
    },
    clear() {
      generation++;
      tokens.clear();
      keysByUser.clear();
    },
    generation: () => generation,
  };
}
