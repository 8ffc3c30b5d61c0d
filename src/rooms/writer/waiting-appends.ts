import type { Extremity, RoomHead } from './head.ts';
import { HeadDraft } from './head-draft.ts';

/** Events that wait for the policy server's answer, with the room as it will be after them. */
export interface WaitingAppend {
  readonly draft: HeadDraft;
  /** What it stands on; null: the head itself. */
  before: WaitingAppend | null;
  state: 'waiting' | 'landed' | 'void';
  /** The head's extremities once the events are in it; null: they do not get there. */
  readonly landed: Promise<Extremity[] | null>;
}

/** Ends the wait: the events are in the head, whose extremities these are; null: they are not. */
export type Land = (extremities: Extremity[] | null) => void;

/**
 * The appends of a room that wait for its policy server. Each stands on the one before, so that all
 * of them ask at the same time and come into the room in the order in which they were made. When one
 * is refused, those that stand on it are void, and are made anew.
 */
export class WaitingAppends {
  #last: WaitingAppend | null = null;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The last one that may still come into the room; null: the head itself is what there is. */
  last(): WaitingAppend | null {
    let last = this.#last;
    for (let one = this.#last; one; one = one.before) if (one.state === 'void') last = one.before;
    return last?.state === 'waiting' ? last : null;
  }

  /** A draft of the room after what waits, or, with null, after its head. */
  draftAfter(head: RoomHead, before: WaitingAppend | null): HeadDraft {
    return new HeadDraft(before?.draft ?? head);
  }

  /** What comes later stands on `draft`, until it has landed. */
  add(head: RoomHead, draft: HeadDraft, before: WaitingAppend | null): Land {
    const { promise: landed, resolve } = Promise.withResolvers<Extremity[] | null>();
    const own: WaitingAppend = { draft, before, state: 'waiting', landed };
    this.#last = own;
    this.#count++;
    return (extremities) => {
      own.state = extremities === null ? 'void' : 'landed';
      if (extremities !== null) {
        // Nothing is asked of what is before one that has landed, and chains stay short.
        own.before = null;
        draft.rebase(head);
      }
      if (--this.#count === 0) this.#last = null;
      resolve(extremities);
    };
  }
}
