import type { Receipt } from './streams.ts';

type UserReceipts = Record<string, { ts: number; thread_id?: string }>;
type ReceiptContent = Record<string, Record<string, UserReceipts>>;

/** A member that is set like any other, whatever its name. */
function memberOf<T>(object: Record<string, T>, name: string, make: () => T): T {
  if (!Object.hasOwn(object, name)) {
    const value = make();
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true });
  }
  return object[name]!;
}

/**
 * The `m.receipt` event of one room for `/sync`, as JSON text. A user has one receipt of a type at
 * an event: one without a thread goes before one with (MSC4102).
 */
export function receiptEventJson(receipts: readonly Receipt[]): string {
  const content: ReceiptContent = {};
  for (const { eventId, type, userId, threadId, ts } of receipts) {
    const types = memberOf<Record<string, UserReceipts>>(content, eventId, () => ({}));
    const users = memberOf<UserReceipts>(types, type, () => ({}));
    const known = Object.hasOwn(users, userId) ? users[userId] : undefined;
    if (!known)
      memberOf(users, userId, () => (threadId === null ? { ts } : { ts, thread_id: threadId }));
    else if (known.thread_id !== undefined && threadId === null) {
      delete known.thread_id;
      known.ts = ts;
    }
  }
  return `{"content":${JSON.stringify(content)},"type":"m.receipt"}`;
}
