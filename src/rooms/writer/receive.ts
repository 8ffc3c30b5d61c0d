import type { Fence } from '../../database/fence.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { authTypesFor } from '../../matrix/auth-rules.ts';
import type { BuiltEvent } from '../../matrix/event-builder.ts';
import { referencedIds } from '../../matrix/pdu.ts';
import { refusal } from '../../matrix/received-pdu.ts';
import { BatchFailed } from '../../streams/committer.ts';
import { eventCommit, HeadLost } from './commit-events.ts';
import type { RoomHead } from './head.ts';
import {
  membersConcerned,
  type ProtoEvent,
  type ReceivedEvent,
  type ReceiveRequest,
} from './proto-event.ts';
import { ReceivedPolicy, type CheckedEvent } from './receive-policy.ts';
import { continues, createForkReceiver, isSameSet, type ReceiverNeeds } from './receive-fork.ts';
import { applyRedaction, mayRedact, type WholeEvent } from './redact.ts';
import { attemptsMax, internNames } from './room-writer.ts';
import { redactsOf, takeIn } from './take-in.ts';

/** Stores events of other servers in a room that this process writes. Throws M_NOT_FOUND. */
export type Receive = (request: ReceiveRequest, fence: Fence | null) => Promise<ReceivedEvent[]>;

const protoOf = ({ pdu }: BuiltEvent): ProtoEvent => ({
  sender: pdu.sender,
  type: pdu.type,
  content: pdu.content,
  ...(pdu.state_key === undefined ? {} : { stateKey: pdu.state_key }),
});

/** Whether an event continues the room as one of our own would: what it names is what the head has. */
function isOrdinary(head: RoomHead, event: BuiltEvent): boolean {
  if (!continues(head, event)) return false;
  const { version } = head;
  const expected = authTypesFor(version, event.pdu).flatMap(
    ([type, key]) => head.get(type, key)?.eventId ?? [],
  );
  const named = referencedIds(event.pdu.auth_events);
  return isSameSet(expected, named) && refusal(version, event.pdu, head) === null;
}

/** What is known of a room beside its head while events are received. */
interface Receiving {
  head: RoomHead;
  /** Ids of events that are stored by now. */
  known: Set<string>;
  /** Ids of events whose redactions came before them. */
  redactedEarly: Set<string>;
  policy: ReceivedPolicy;
  statesAfter: Readonly<Record<string, readonly string[]>>;
  alone: boolean;
  /** Commits under way. */
  pending: Promise<unknown>[];
}

export function createReceiver(needs: ReceiverNeeds): Receive {
  const { committer, heads, headStore, interned, forks, policies } = needs;
  const receiveFork = createForkReceiver(needs);

  /** The event takes its place at the end of the room; does not wait for the disk. */
  function append(receiving: Receiving, event: BuiltEvent, target: WholeEvent | null) {
    const { head, alone, pending } = receiving;
    const taken = takeIn(head, event, needs, null);
    if (target && mayRedact(head, event.pdu.sender, target)) applyRedaction(head, taken, target);
    head.gate.enter();
    const unit = { head, events: [taken], creation: null };
    const done = committer
      .commit(eventCommit, unit, { alone })
      .then(() => taken.stored.pos)
      .finally(() => head.gate.leave());
    done.catch(() => heads.drop(head));
    pending.push(done);
    return done;
  }

  /** Resolves when the next event may be looked at; this one's result may take longer. */
  async function receiveOne(
    receiving: Receiving,
    event: BuiltEvent,
  ): Promise<{ result: ReceivedEvent | Promise<ReceivedEvent> }> {
    const { head, known, redactedEarly, policy } = receiving;
    const { eventId } = event;
    const base = { eventId, reason: null, missing: [], pos: null };
    if (known.has(eventId)) return { result: { ...base, outcome: 'known' } };
    const targetId = redactsOf(event.pdu);
    // It may be on its way into the database.
    if (targetId !== null && known.has(targetId)) await Promise.allSettled(receiving.pending);
    const target = targetId === null ? null : await headStore.event(head.roomNid, targetId);
    let checked: CheckedEvent | null = null;
    while (!checked) {
      // oxlint-disable-next-line no-await-in-loop
      while (head.gate.closed()) await head.gate.closed();
      if (head.broken) throw new HeadLost();
      checked = policy.checked(head, event);
      // oxlint-disable-next-line no-await-in-loop
      if (!checked) await policy.ask(head, [event]);
    }
    const { event: whole, unrecommended } = checked;
    if (targetId !== null && !target) redactedEarly.add(targetId);
    const isRedacted = redactedEarly.has(eventId);
    if (!isRedacted && unrecommended === null && isOrdinary(head, whole)) {
      known.add(eventId);
      const done = append(receiving, whole, target);
      return { result: done.then((pos) => ({ ...base, outcome: 'accepted', pos })) };
    }
    const received = await head.gate.alone(() =>
      receiveFork(head, whole, {
        target,
        isRedacted,
        unrecommended,
        statesAfter: receiving.statesAfter,
        alone: receiving.alone,
      }),
    );
    if (received.outcome !== 'missing') known.add(eventId);
    return { result: received };
  }

  /** Asks the room's policy server, before the events take their turn: it may take long. */
  async function askBefore(head: RoomHead, events: readonly BuiltEvent[], policy: ReceivedPolicy) {
    if (policies.current(head) === null) return;
    const ids = events.map(({ eventId }) => eventId);
    const { stored } = await forks.before(head.roomNid, ids);
    await policy.ask(
      head,
      events.filter(({ eventId }) => !stored.has(eventId)),
    );
  }

  async function receiveAll(
    head: RoomHead,
    { events, statesAfter = {} }: ReceiveRequest,
    policy: ReceivedPolicy,
    alone: boolean,
  ) {
    const ids = events.map(({ eventId }) => eventId);
    const { stored, redacted } = await forks.before(head.roomNid, ids);
    const receiving: Receiving = {
      head,
      known: stored,
      redactedEarly: redacted,
      policy,
      statesAfter,
      alone,
      pending: [],
    };
    const results: (ReceivedEvent | Promise<ReceivedEvent>)[] = [];
    try {
      for (const event of events) {
        // Each may build on the one before.
        // oxlint-disable-next-line no-await-in-loop
        results.push((await receiveOne(receiving, event)).result);
      }
      return await Promise.all(results.map(async (result) => result));
    } finally {
      await Promise.allSettled(receiving.pending);
    }
  }

  return async (request, fence) => {
    const { roomId, events } = request;
    const protos = events.map(protoOf);
    await internNames(interned, protos);
    const policy = new ReceivedPolicy(policies);
    for (let tries = 1; ; tries++) {
      // oxlint-disable-next-line no-await-in-loop
      const head = await heads.pinned(roomId, membersConcerned(protos), fence);
      if (!head) throw new MatrixError('M_NOT_FOUND', 'This server does not know the room');
      try {
        // oxlint-disable-next-line no-await-in-loop
        await askBefore(head, events, policy);
        // oxlint-disable-next-line no-await-in-loop
        return await head.receipt.alone(() => receiveAll(head, request, policy, tries > 1));
      } catch (error) {
        const mayRetry = error instanceof HeadLost || error instanceof BatchFailed;
        if (!mayRetry || tries === attemptsMax) {
          throw error instanceof BatchFailed ? error.cause : error;
        }
      } finally {
        heads.unpin(head);
      }
    }
  };
}
