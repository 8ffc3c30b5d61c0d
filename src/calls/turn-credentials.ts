import { createHmac } from 'node:crypto';
import type { CallsConfig } from './config.ts';

/** CS 1.19, getTurnServer. */
export interface TurnCredentials {
  username: string;
  password: string;
  /** Seconds. */
  ttl: number;
  uris: readonly string[];
}

/**
 * What a user logs in to the TURN servers with: a name that says until when it is good, and its
 * HMAC ("A REST API For Access To TURN Services"). Null: there are no TURN servers.
 */
export function turnCredentials(
  config: CallsConfig,
  userId: string,
  now: number,
): TurnCredentials | null {
  const { turnUris: uris, turnSecret, turnLogin, turnLifetimeMs } = config;
  if (uris.length === 0 || turnLifetimeMs === 0) return null;
  const ttl = Math.floor(turnLifetimeMs / 1000);
  if (turnSecret !== null) {
    const username = `${Math.floor((now + turnLifetimeMs) / 1000)}:${userId}`;
    const password = createHmac('sha1', turnSecret).update(username).digest('base64');
    return { username, password, ttl, uris };
  }
  return turnLogin ? { username: turnLogin.user, password: turnLogin.password, ttl, uris } : null;
}
