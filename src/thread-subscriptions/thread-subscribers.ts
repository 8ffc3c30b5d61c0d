import type { ThreadSubscription } from './streams.ts';

/** Which of a room's users subscribe to which threads, and since where in the timeline. */
export class ThreadSubscribers {
  /** By the root's id and the user's. */
  readonly #sincePos = new Map<string, Map<string, number>>();
  readonly #threads = new Map<string, string[]>();

  set(userId: string, subscriptions: readonly Pick<ThreadSubscription, 'threadId' | 'sincePos'>[]) {
    this.delete(userId);
    if (subscriptions.length === 0) return;
    for (const { threadId, sincePos } of subscriptions) {
      const users = this.#sincePos.get(threadId) ?? new Map<string, number>();
      this.#sincePos.set(threadId, users.set(userId, sincePos));
    }
    this.#threads.set(
      userId,
      subscriptions.map(({ threadId }) => threadId),
    );
  }

  delete(userId: string): void {
    for (const threadId of this.#threads.get(userId) ?? []) {
      const users = this.#sincePos.get(threadId);
      users?.delete(userId);
      if (users?.size === 0) this.#sincePos.delete(threadId);
    }
    this.#threads.delete(userId);
  }

  /** Ids of those whose subscription to a thread holds for an event. */
  at(threadId: string, eventPos: number): ReadonlySet<string> {
    const found = new Set<string>();
    for (const [userId, sincePos] of this.#sincePos.get(threadId) ?? []) {
      if (sincePos < eventPos) found.add(userId);
    }
    return found;
  }
}
