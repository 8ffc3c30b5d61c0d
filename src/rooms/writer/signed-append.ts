import type { Deadline } from '../../kernel/deadline.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { inGroups } from '../../kernel/in-groups.ts';
import { isPolicyState } from '../../matrix/policy-server.ts';
import { HeadLost, type NewEvent } from './commit-events.ts';
import type { ComposeContext } from './compose.ts';
import { composeRequest, takeInComposed, type Composed } from './compose-request.ts';
import type { Extremity, RoomHead } from './head.ts';
import type { HeadCache } from './head-cache.ts';
import {
  besideMax,
  policyTooSlow,
  type PolicyInForce,
  type PolicyServers,
} from './policy-servers.ts';
import type { AppendedEvent, AppendRequest } from './proto-event.ts';
import type { WholeEvent } from './redact.ts';
import { WaitingAppends, type WaitingAppend } from './waiting-appends.ts';

/** Appends of one room that may wait for its policy server. */
const waitingMax = 64;
const retryAfterMs = 1_000;

export interface SignedAppendNeeds {
  policies: PolicyServers;
  heads: HeadCache;
  context(): ComposeContext;
  /** Throws when the request may not be made in the room as it is. */
  check(head: RoomHead, request: AppendRequest): void;
  /** Writes events that are in the head; enters its gate at once. */
  store(head: RoomHead, composed: Composed, alone: boolean): Promise<AppendedEvent[]>;
}

export interface SignedAppend {
  request: AppendRequest;
  policy: PolicyInForce;
  targets: (WholeEvent | null)[] | null;
  /** Nothing else comes into the room meanwhile. */
  isAlone: boolean;
  /** To be committed with nothing else. */
  alone: boolean;
  /** Of the request: neither its policy server nor other events are waited for any longer. */
  deadline: Deadline;
}

/**
 * Appends of rooms that use a policy server. The events are composed on a draft of the room, and go
 * into its head with their signatures when the room is then as the draft had it.
 */
export function createSignedAppend(needs: SignedAppendNeeds) {
  const { policies, heads, context, check, store } = needs;

  /** The events with their signatures go into the head. */
  function land(head: RoomHead, { made, places }: Composed): Composed {
    const { extremities } = head;
    try {
      const events: NewEvent[] = made.map((one) => takeInComposed(head, one, context()));
      return { made, events, places };
    } catch (error) {
      if (head.extremities !== extremities) heads.drop(head);
      throw error;
    }
  }

  async function signAll(
    { version }: RoomHead,
    { made }: Composed,
    { policy, deadline }: SignedAppend,
  ) {
    return inGroups(made, besideMax, async (one) =>
      isPolicyState(one.built.pdu)
        ? one
        : { ...one, built: await policies.sign(version, one.built, policy, deadline) },
    );
  }

  /**
   * Resolves when the events are on disk; null: the room has changed while the policy server was
   * asked, and all of it is to be done anew. Throws what the sender is to be told.
   */
  return async function appendSigned(
    head: RoomHead,
    wanted: SignedAppend,
  ): Promise<AppendedEvent[] | null> {
    const { request, targets, isAlone, alone, deadline } = wanted;
    /** Whether what it stands on has not come into the room; asked only when that is to be known. */
    const hasNoGround = async (before: WaitingAppend | null) =>
      before !== null && (await deadline.orLate(before.landed, policyTooSlow)) === null;
    head.waiting ??= new WaitingAppends();
    const { waiting } = head;
    if (waiting.count >= waitingMax) {
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many events wait for the policy server', {
        extra: { retry_after_ms: retryAfterMs },
      });
    }
    const before = isAlone ? null : waiting.last();
    const ground = head.extremities;
    const draft = waiting.draftAfter(head, before);
    let composed;
    try {
      check(draft, request);
      composed = composeRequest(draft, request, targets, context());
    } catch (error) {
      // What it stands on may yet be refused, and then this may not be.
      if (await hasNoGround(before)) return null;
      throw error;
    }
    if (composed.made.length === 0) {
      return (await hasNoGround(before)) ? null : store(head, composed, alone);
    }
    const landed = waiting.add(head, draft, before);
    let extremities: Extremity[] | null = null;
    let stored;
    try {
      const made = await signAll(head, composed, wanted);
      const expected = before ? await deadline.orLate(before.landed, policyTooSlow) : ground;
      let closed = isAlone ? null : head.gate.closed();
      while (closed) {
        // oxlint-disable-next-line no-await-in-loop
        await deadline.orLate(closed, policyTooSlow);
        closed = head.gate.closed();
      }
      if (head.broken) throw new HeadLost();
      if (expected === null || head.extremities !== expected) return null;
      check(head, request);
      const inHead = land(head, { ...composed, made });
      ({ extremities } = head);
      stored = store(head, inHead, alone);
    } finally {
      landed(extremities);
    }
    return stored;
  };
}
