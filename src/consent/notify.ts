import type { Database } from '../database/database.ts';
import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Log } from '../kernel/log.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { NoticeSender } from '../server-notices/module.ts';
import type { ConsentConfig } from './config.ts';
import type { Consents } from './consents.ts';
import { noteNotified } from './store/consents.ts';

/** Users who were looked at; those who are forgotten are looked at once more. */
const lookedAtMax = 50_000;

export interface SyncingUser {
  userId: string;
  userNid: number;
}

export interface NotifyNeeds {
  config: ConsentConfig;
  consents: Consents;
  database: Database;
  log: Log;
  sender: NoticeSender;
  isGuest(userId: string): Promise<boolean>;
}

function filledIn(value: unknown, link: string): unknown {
  if (typeof value === 'string') return value.replaceAll('%(consent_uri)s', link);
  if (Array.isArray(value)) return value.map((item) => filledIn(item, link));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, filledIn(item, link)]),
  );
}

/** Asks users, when they sync, once per version to accept the terms. Returns at once. */
export function createConsentNotices(needs: NotifyNeeds): (user: SyncingUser) => void {
  const { config, consents, database, log, sender } = needs;
  const lookedAt = boundedCache<number, true>(lookedAtMax);

  async function ask({ userId, userNid }: SyncingUser): Promise<void> {
    if (await consents.has(userNid)) return;
    if (!config.notifiesGuests && (await needs.isGuest(userId))) return;
    const first = await database.query(noteNotified, [userNid, config.version]);
    if (first.length === 0) return;
    const content = filledIn(config.noticeContent, consents.linkFor(userId)) as JsonObject;
    await sender.send(userId, { type: 'm.room.message', content });
  }

  return (user) => {
    if (config.noticeContent === null || lookedAt.has(user.userNid)) return;
    lookedAt.set(user.userNid, true);
    ask(user).catch((error: unknown) => {
      log.warn({ err: error, userId: user.userId }, 'a user could not be asked for consent');
    });
  };
}
