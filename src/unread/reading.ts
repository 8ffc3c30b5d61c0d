import type { JsonObject } from '../matrix/pdu.ts';
import type { Verdict } from '../matrix/push-rules/verdict.ts';
import type { Receipt } from '../receipts/module.ts';

export interface UnreadCount {
  notifications: number;
  highlights: number;
}

/** The thread that an event belongs to: its root's id, or null for the main timeline. */
export function threadOf(content: JsonObject): string | null {
  const relation = content['m.relates_to'];
  if (typeof relation !== 'object' || relation === null || Array.isArray(relation)) return null;
  const { rel_type: type, event_id: root } = relation;
  return type === 'm.thread' && typeof root === 'string' ? root : null;
}

/**
 * How far a user has read a room, and what has come since. Receipts without a thread count for
 * the main timeline and every thread. Source: client-server spec, "Receiving notifications".
 */
export class Reading {
  readonly roomNid: number;
  readonly userNid: number;
  readonly userId: string;
  readonly main: UnreadCount = { notifications: 0, highlights: 0 };
  readonly threads = new Map<string, UnreadCount>();
  /** Whose events do not count. */
  readonly ignored: ReadonlySet<string>;
  /** Nothing up to here is unread. */
  readPos: number;
  #mainPos = 0;
  readonly #threadPos = new Map<string, number>();

  constructor(
    roomNid: number,
    user: { userNid: number; userId: string },
    joinedPos: number,
    receipts: readonly Receipt[],
    ignored: ReadonlySet<string>,
  ) {
    this.roomNid = roomNid;
    this.ignored = ignored;
    this.userNid = user.userNid;
    this.userId = user.userId;
    this.readPos = joinedPos;
    for (const { threadId, eventPos } of receipts) {
      if (threadId === null) this.readPos = Math.max(this.readPos, eventPos);
      else if (threadId === 'main') this.#mainPos = Math.max(this.#mainPos, eventPos);
      else {
        const before = this.#threadPos.get(threadId) ?? 0;
        this.#threadPos.set(threadId, Math.max(before, eventPos));
      }
    }
  }

  count(pos: number, threadId: string | null, verdict: Verdict): void {
    if (!verdict.notify || pos <= this.readPos) return;
    if (pos <= (threadId === null ? this.#mainPos : (this.#threadPos.get(threadId) ?? 0))) return;
    let count = this.main;
    if (threadId !== null) {
      count = this.threads.get(threadId) ?? { notifications: 0, highlights: 0 };
      this.threads.set(threadId, count);
    }
    count.notifications++;
    if (verdict.highlight) count.highlights++;
  }

  /** Everything up to a position has been read, which is all there is. */
  readAll(pos: number): void {
    this.readPos = Math.max(this.readPos, pos);
    this.main.notifications = 0;
    this.main.highlights = 0;
    this.threads.clear();
  }
}
