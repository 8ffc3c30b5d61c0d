import { MatrixError } from '../../kernel/errors.ts';
import { inGroups } from '../../kernel/in-groups.ts';
import { isPolicyState } from '../../matrix/policy-server.ts';
import { HeadLost, type NewEvent } from './commit-events.ts';
import type { ComposeContext } from './compose.ts';
import { composeRequest, takeInComposed, type Composed } from './compose-request.ts';
import type { Extremity, RoomHead } from './head.ts';
import type { HeadCache } from './head-cache.ts';
import { besideMax, type PolicyInForce, type PolicyServers } from './policy-servers.ts';
import type { AppendedEvent, AppendRequest } from './proto-event.ts';
import type { WholeEvent } from './redact.ts';
import { WaitingAppends } from './waiting-appends.ts';

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

  async function signAll(head: RoomHead, { made }: Composed, policy: PolicyInForce) {
    return inGroups(made, besideMax, async (one) =>
      isPolicyState(one.built.pdu)
        ? one
        : { ...one, built: await policies.sign(head.version, one.built, policy) },
    );
  }

  /**
   * Resolves when the events are on disk; null: the room has changed while the policy server was
   * asked, and all of it is to be done anew. Throws what the sender is to be told.
   */
  return async function appendSigned(
    head: RoomHead,
    { request, policy, targets, isAlone, alone }: SignedAppend,
  ): Promise<AppendedEvent[] | null> {
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
      if (before && (await before.landed) === null) return null;
      throw error;
    }
    if (composed.made.length === 0) {
      const isVoid = before !== null && (await before.landed) === null;
      return isVoid ? null : store(head, composed, alone);
    }
    const landed = waiting.add(head, draft, before);
    let extremities: Extremity[] | null = null;
    let stored;
    try {
      const made = await signAll(head, composed, policy);
      const expected = before ? await before.landed : ground;
      // oxlint-disable-next-line no-await-in-loop
      if (!isAlone) while (head.gate.closed()) await head.gate.closed();
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
