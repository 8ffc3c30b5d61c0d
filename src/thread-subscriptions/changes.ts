import type { ThreadSubscriptionStore } from './store/thread-subscriptions.ts';
import type { ThreadSubscription } from './streams.ts';

/** A token of `from` and of `prev_batch`: everything up to the position, which is included. */
export const formatBound = (pos: number) => `ts${pos}`;

/** Null: the text is no such token. */
export function parseBound(text: string): number | null {
  return /^ts\d{1,16}$/.test(text) ? Number(text.slice(2)) : null;
}

/** Most changes in one answer; a client gets the others by their token. */
export const changesMax = 512;

/** Threads by room and by the root's id, as in answers; absent when there are none. */
export interface ShownSubscriptions {
  subscribed?: Record<string, Record<string, { automatic: boolean; bump_stamp: number }>>;
  unsubscribed?: Record<string, Record<string, { bump_stamp: number }>>;
}

export interface ChangesPage {
  shown: ShownSubscriptions;
  count: number;
  /** Token of the changes before these; null: there are none. */
  before: string | null;
}

function shownOf(changes: readonly (ThreadSubscription & { pos: number })[]): ShownSubscriptions {
  const shown: ShownSubscriptions = {};
  for (const { roomId, threadId, isSubscribed, isAutomatic, pos } of changes) {
    if (isSubscribed) {
      shown.subscribed ??= {};
      const threads = (shown.subscribed[roomId] ??= {});
      threads[threadId] = { automatic: isAutomatic, bump_stamp: pos };
    } else {
      shown.unsubscribed ??= {};
      const threads = (shown.unsubscribed[roomId] ??= {});
      threads[threadId] = { bump_stamp: pos };
    }
  }
  return shown;
}

/** A user's newest changes after a position, up to another and including it (MSC4308). */
export async function changesPage(
  store: ThreadSubscriptionStore,
  userNid: number,
  { afterPos, uptoPos, limit }: { afterPos: number; uptoPos: number; limit: number },
): Promise<ChangesPage> {
  const most = Math.min(limit, changesMax);
  const rows = await store.changes(userNid, afterPos, uptoPos, most + 1);
  const changes = rows.slice(0, most);
  const before = rows.length > most ? formatBound(changes.at(-1)!.pos - 1) : null;
  return { shown: shownOf(changes), count: changes.length, before };
}
