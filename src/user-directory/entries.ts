import type { Queryable } from '../database/database.ts';
import { factsOf, replaceEntries, type Entry, type EntryFacts } from './store/entries.ts';
import { indexedWords } from './words.ts';

/** Users of other servers may be called anything; longer names help nobody to find them. */
const nameLengthMax = 256;

function parsed(json: string | null): unknown {
  return json === null ? null : (JSON.parse(json) as unknown);
}

function textOrNull(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null;
  // PostgreSQL keeps no NUL in text.
  return value.replaceAll('\0', '').slice(0, nameLengthMax).toWellFormed();
}

function entryOf(facts: EntryFacts): Entry {
  const { userNid, userId, isLocal, isLocked, isPublic } = facts;
  const member = parsed(facts.memberContent) as Record<string, unknown> | null;
  const displayName = textOrNull(member ? member['displayname'] : parsed(facts.displayName));
  const avatarUrl = textOrNull(member ? member['avatar_url'] : parsed(facts.avatarUrl));
  const localpart = userId.slice(1, userId.indexOf(':'));
  const words = indexedWords(localpart, displayName);
  return { userNid, userId, displayName, avatarUrl, isLocal, isLocked, isPublic, words };
}

/** Makes the entries of these users anew, inside a transaction. */
export async function renewEntries(tx: Queryable, userNids: number[]): Promise<void> {
  const facts = await factsOf(tx, userNids);
  await replaceEntries(tx, userNids, facts.map(entryOf));
}
