import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Database } from '../database/database.ts';
import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import { acceptVersion, selectConsent } from './store/consents.ts';

/** Users whose consent is remembered. What is remembered stays true: consent is not taken back. */
const rememberedMax = 50_000;

/** Who has accepted which version of the terms. */
export interface Consents {
  /** Whether the user has accepted the version that is asked for now. */
  has(userNid: number): Promise<boolean> | boolean;
  accept(userNid: number, version: string): Promise<void>;
  /** The page on which the user accepts them; nobody else knows its address. */
  linkFor(userId: string): string;
  /** Whether the link was made for the user. */
  isLinkOf(localpart: string, signature: string): boolean;
  signatureOf(localpart: string): string;
}

export interface ConsentsNeeds {
  database: Database;
  clock: Clock;
  /** The version that is asked for. */
  version: string;
  serverName: string;
  /** Without a slash at the end. */
  baseUrl: string;
  /** Signs links. */
  secret: string;
}

export function createConsents(needs: ConsentsNeeds): Consents {
  const { database, clock, version, serverName, baseUrl, secret } = needs;
  const accepted = boundedCache<number, true>(rememberedMax);
  const signatureOf = (localpart: string) =>
    createHmac('sha256', secret).update(`@${localpart}:${serverName}`).digest('hex');

  return {
    has(userNid) {
      if (accepted.has(userNid)) return true;
      return database.query(selectConsent, [userNid]).then(([row]) => {
        if (row?.acceptedVersion !== version) return false;
        accepted.set(userNid, true);
        return true;
      });
    },
    async accept(userNid, acceptedVersion) {
      await database.query(acceptVersion, [userNid, acceptedVersion, clock.now()]);
    },
    linkFor(userId) {
      const localpart = userId.slice(1, userId.indexOf(':'));
      const query = new URLSearchParams({ u: localpart, h: signatureOf(localpart) });
      return `${baseUrl}/_matrix/consent?${query.toString()}`;
    },
    isLinkOf(localpart, signature) {
      const expected = Buffer.from(signatureOf(localpart));
      const given = Buffer.from(signature);
      return given.length === expected.length && timingSafeEqual(given, expected);
    },
    signatureOf,
  };
}
