import { createHash } from 'node:crypto';
import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { randomLetters } from '../kernel/random.ts';
import type { RemoteUser } from './identity-provider.ts';
import {
  deleteExpiredSsoSessions,
  selectSsoSession,
  takeSsoSession,
  upsertSsoSession,
} from './store/sessions.ts';

/** A browser that is at a provider, or on its way. */
export interface SignInSession {
  providerId: string;
  /** What the provider wants to know again. */
  kept: Readonly<Record<string, string>>;
  /** What it is for: a client that gets a log-in token, or a stage of interactive authentication. */
  purpose: { clientUrl: string } | { uiAuthSession: string };
}

/** Somebody new, who is asked about the account that is to be made. */
export interface NewUserSession {
  providerId: string;
  user: RemoteUser;
  clientUrl: string;
  chosen: {
    localpart: string;
    usesDisplayName: boolean;
    usesPicture: boolean;
    emails: readonly string[];
  } | null;
  /** The version of the terms. */
  acceptedTerms: string | null;
}

interface Kinds {
  sign_in: SignInSession;
  new_user: NewUserSession;
}

/** How long people may take. */
export const sessionLifetimeMs = { sign_in: 60 * 60 * 1000, new_user: 15 * 60 * 1000 } as const;

const idLength = 32;
const isId = (text: string) => /^[A-Za-z]{32}$/.test(text);

/** Sessions of browsers, which any process finds. A session is its browser's alone. */
export interface SsoSessions {
  newId(): string;
  save<K extends keyof Kinds>(
    kind: K,
    id: string,
    browser: string,
    session: Kinds[K],
  ): Promise<void>;
  /** Null: there is none, it is too old, or another browser's. */
  load<K extends keyof Kinds>(kind: K, id: string, browser: string): Promise<Kinds[K] | null>;
  /** The same, once. */
  take<K extends keyof Kinds>(kind: K, id: string, browser: string): Promise<Kinds[K] | null>;
  removeOld(): Promise<void>;
}

export function createSsoSessions(database: Database, clock: Clock): SsoSessions {
  const hashOf = (browser: string) => createHash('sha256').update(browser).digest();
  const parsed = <T>(row: { content: string } | undefined) =>
    row ? (JSON.parse(row.content) as T) : null;
  return {
    newId: () => randomLetters(idLength),
    async save(kind, id, browser, session) {
      const validUntilTs = clock.now() + sessionLifetimeMs[kind];
      const content = JSON.stringify(session);
      await database.query(upsertSsoSession, [id, hashOf(browser), kind, content, validUntilTs]);
    },
    async load(kind, id, browser) {
      if (!isId(id)) return null;
      const params = [id, hashOf(browser), kind, clock.now()] as const;
      return parsed((await database.query(selectSsoSession, [...params]))[0]);
    },
    async take(kind, id, browser) {
      if (!isId(id)) return null;
      const params = [id, hashOf(browser), kind, clock.now()] as const;
      return parsed((await database.query(takeSsoSession, [...params]))[0]);
    },
    async removeOld() {
      await database.query(deleteExpiredSsoSessions, [clock.now()]);
    },
  };
}
