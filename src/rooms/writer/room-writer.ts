import { BatchFailed, type Committer } from '../../streams/committer.ts';
import { isDuplicate } from '../../database/database.ts';
import type { Fence } from '../../database/fence.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Deadline } from '../../kernel/deadline.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { fitsIdBytes, idBytesMax } from '../../matrix/ids.ts';
import type { SigningKey } from '../../matrix/signing.ts';
import { comesIn, roomBlocked } from '../blocks.ts';
import type { HeadStore } from '../store/load-head.ts';
import type { Interned } from '../store/interned.ts';
import type { TransactionStore } from '../store/transactions.ts';
import { isAllowed, templateOf, type ComposeContext, type EventTemplate } from './compose.ts';
import { composeRequest, type Composed } from './compose-request.ts';
import { eventCommit, HeadLost } from './commit-events.ts';
import type { RoomHead } from './head.ts';
import type { HeadCache } from './head-cache.ts';
import {
  isPolicyProto,
  membersConcerned,
  type AppendedEvent,
  type AppendRequest,
  type ProtoEvent,
} from './proto-event.ts';
import { answerMsMax, policyTooSlow, requestMsMax, type PolicyServers } from './policy-servers.ts';
import type { WholeEvent } from './redact.ts';
import { createSignedAppend, type SignedAppend } from './signed-append.ts';
import { redactsOf } from './take-in.ts';

export interface RoomWriterNeeds {
  committer: Committer;
  heads: HeadCache;
  headStore: HeadStore;
  transactions: TransactionStore;
  interned: Interned;
  clock: Clock;
  serverName: string;
  signingKey: SigningKey;
  policies: PolicyServers;
}

/** Tries of one append: a batch may fail through another's fault, and then the room changes. */
export const attemptsMax = 4;
/**
 * Rounds of one append in a room with a policy server: a round is in vain when another event comes
 * first. In the last one none may.
 */
const roundsMax = 3;

type Targets = (WholeEvent | null)[] | null;

/** What the sender is told when others keep the room for themselves for too long. */
function roomTooBusy(): MatrixError {
  const message = 'Other events of the room take too long';
  return new MatrixError('M_UNKNOWN', message, { status: 504 });
}

/** Refuses what no event of this server may have. Throws M_BAD_JSON, M_TOO_LARGE. */
export function checkNames(events: readonly ProtoEvent[]): void {
  for (const { type, stateKey = '' } of events) {
    if (type.includes('\0') || stateKey.includes('\0')) {
      throw new MatrixError('M_BAD_JSON', 'type and state_key may not contain NUL');
    }
    // Longer ones fit into no index; no event may have them.
    if (!fitsIdBytes(type) || !fitsIdBytes(stateKey)) {
      const message = `type and state_key may have at most ${idBytesMax} bytes`;
      throw new MatrixError('M_TOO_LARGE', message);
    }
  }
}

/** Makes sure that the names these events bring have their numbers. */
export async function internNames(interned: Interned, events: readonly ProtoEvent[]) {
  const users = membersConcerned(events);
  const types = events.map((event) => event.type);
  const known =
    users.every((id) => interned.cachedUser(id) !== undefined) &&
    types.every((type) => interned.cachedType(type) !== undefined);
  if (!known) await Promise.all([interned.users(users), interned.types(types)]);
}

/** Appends events to rooms that this process writes; `fence` is the lease that says so. */
export interface LocalRoomWriter {
  /**
   * Authorises, builds and stores the events. Resolves when they are on disk.
   * Throws `MatrixError`: M_NOT_FOUND for an unknown room, M_FORBIDDEN, M_BAD_JSON, M_TOO_LARGE.
   */
  append(request: AppendRequest, fence: Fence | null): Promise<AppendedEvent[]>;
  /** Whether the room's rules would let the event in now. */
  allows(roomId: string, event: ProtoEvent, fence: Fence | null): Promise<boolean>;
  /** The event as it would be now, for another server to sign. Throws M_NOT_FOUND, M_FORBIDDEN. */
  template(roomId: string, event: ProtoEvent, fence: Fence | null): Promise<EventTemplate>;
}

export function createLocalRoomWriter(needs: RoomWriterNeeds): LocalRoomWriter {
  const { committer, heads, headStore, interned, clock, policies } = needs;

  function context(): ComposeContext {
    const { serverName, signingKey } = needs;
    return { serverName, signingKey, interned, now: clock.now() };
  }

  async function targetsOf(head: RoomHead, events: readonly ProtoEvent[]): Promise<Targets> {
    const ids = events.map(redactsOf);
    if (ids.every((id) => id === null)) return null;
    return Promise.all(
      ids.map((id) => (id ? headStore.event(head.roomNid, id) : Promise.resolve(null))),
    );
  }

  /** Throws when the request may not be made in the room as it is. */
  function check(head: RoomHead, { events, expect }: AppendRequest): void {
    if (head.isBlocked && events.some((event) => comesIn(head, event))) throw roomBlocked();
    if (expect && !expect.memberships.includes(head.membershipOf(expect.userId))) {
      throw new MatrixError('M_FORBIDDEN', expect.otherwise);
    }
  }

  function compose(head: RoomHead, request: AppendRequest, targets: Targets): Composed {
    const { extremities } = head;
    check(head, request);
    try {
      return composeRequest(head, request, targets, context());
    } catch (error) {
      // Some of the events had moved the head already.
      if (head.extremities !== extremities) heads.drop(head);
      throw error;
    }
  }

  /** Writes events that are in the head. */
  async function store(head: RoomHead, { events, places }: Composed, alone: boolean) {
    if (events.length > 0) {
      head.gate.enter();
      try {
        await committer.commit(eventCommit, { head, events, creation: null }, { alone });
      } catch (error) {
        heads.drop(head);
        throw error;
      } finally {
        head.gate.leave();
      }
    }
    return places.map((place) => {
      if (typeof place === 'string') return { eventId: place, pos: null };
      const { eventId, pos } = events[place]!.stored;
      return { eventId, pos };
    });
  }

  const appendSigned = createSignedAppend({ policies, heads, context, check, store });

  /** As `appendSigned`; after a few tries that met with changes nothing else may change the room. */
  async function tryWithPolicy(
    head: RoomHead,
    wanted: Omit<SignedAppend, 'isAlone'>,
    round: number,
  ): Promise<AppendedEvent[] | null> {
    const { deadline } = wanted;
    if (deadline.leftMs < answerMsMax) throw policyTooSlow();
    if (round < roundsMax) return appendSigned(head, { ...wanted, isAlone: false });
    return head.gate.alone(
      async () => {
        if (head.broken) throw new HeadLost();
        const targets = await targetsOf(head, wanted.request.events);
        const policy = policies.current(head);
        return policy ? appendSigned(head, { ...wanted, policy, targets, isAlone: true }) : null;
      },
      (opened) => deadline.orLate(opened, roomTooBusy),
    );
  }

  async function attempt(
    head: RoomHead,
    request: AppendRequest,
    alone: boolean,
    deadline: Deadline,
  ) {
    const isUnchecked = request.events.every(isPolicyProto);
    for (let round = 1; ; round++) {
      // oxlint-disable-next-line no-await-in-loop
      const targets = await targetsOf(head, request.events);
      let closed = head.gate.closed();
      while (closed) {
        // oxlint-disable-next-line no-await-in-loop
        await deadline.orLate(closed, roomTooBusy);
        closed = head.gate.closed();
      }
      if (head.broken) throw new HeadLost();
      const policy = isUnchecked ? null : policies.current(head);
      if (policy === null) return store(head, compose(head, request, targets), alone);
      if (policy === undefined) {
        // oxlint-disable-next-line no-await-in-loop
        await policies.find(head);
        continue;
      }
      const wanted = { request, policy, targets, alone, deadline };
      // oxlint-disable-next-line no-await-in-loop
      const stored = await tryWithPolicy(head, wanted, round);
      if (stored) return stored;
    }
  }

  /** What the request has led to when it was made before; its client, or a process, repeats it. */
  async function appendedEarlier(
    { events, transaction }: AppendRequest,
    error: unknown,
  ): Promise<AppendedEvent[] | null> {
    const mayBeRepeated =
      error instanceof MatrixError || isDuplicate(error, 'sent_transactions_pkey');
    if (!transaction || !mayBeRepeated) return null;
    const { deviceNid, txnId, scope } = transaction;
    const senderNid = interned.cachedUser(events[0]!.sender)!;
    const found = await needs.transactions.appended(
      senderNid,
      { deviceNid: deviceNid ?? 0, txnId, scope },
      events.length,
    );
    return found.length > 0 ? found : null;
  }

  return {
    async allows(roomId, event, fence) {
      const head = await heads.pinned(roomId, membersConcerned([event]), fence);
      if (!head) return false;
      try {
        return isAllowed(head, event, clock.now());
      } finally {
        heads.unpin(head);
      }
    },
    async template(roomId, event, fence) {
      const head = await heads.pinned(roomId, membersConcerned([event]), fence);
      if (!head) throw new MatrixError('M_NOT_FOUND', 'This server does not know the room');
      try {
        return templateOf(head, event, clock.now());
      } finally {
        heads.unpin(head);
      }
    },
    async append(request, fence) {
      const members = membersConcerned(request.events);
      checkNames(request.events);
      await internNames(interned, request.events);
      const deadline = new Deadline(requestMsMax);
      for (let tries = 1; ; tries++) {
        const head = await heads.pinned(request.roomId, members, fence);
        if (!head) throw new MatrixError('M_NOT_FOUND', 'This server does not know the room');
        try {
          return await attempt(head, request, tries > 1, deadline);
        } catch (error) {
          const mayRetry = error instanceof HeadLost || error instanceof BatchFailed;
          if (mayRetry && tries < attemptsMax) continue;
          const cause = error instanceof BatchFailed ? error.cause : error;
          const earlier = await appendedEarlier(request, cause);
          if (earlier) return earlier;
          throw cause;
        } finally {
          heads.unpin(head);
        }
      }
    },
  };
}
