import { BatchFailed, type Committer } from '../../streams/committer.ts';
import { isDuplicate } from '../../database/database.ts';
import type { Fence } from '../../database/fence.ts';
import type { Clock } from '../../kernel/clock.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { fitsIdBytes, idBytesMax } from '../../matrix/ids.ts';
import type { SigningKey } from '../../matrix/signing.ts';
import type { HeadStore } from '../store/load-head.ts';
import type { Interned } from '../store/interned.ts';
import type { TransactionStore } from '../store/transactions.ts';
import { compose, isAllowed, isUnchanged, type ComposeContext } from './compose.ts';
import { eventCommit, HeadLost, type NewEvent } from './commit-events.ts';
import type { RoomHead } from './head.ts';
import type { HeadCache } from './head-cache.ts';
import {
  membersConcerned,
  type AppendedEvent,
  type AppendRequest,
  type ProtoEvent,
} from './proto-event.ts';
import { applyRedaction, checkRedaction, type WholeEvent } from './redact.ts';
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
}

/** Tries of one append: a batch may fail through another's fault, and then the room changes. */
export const attemptsMax = 4;

/** Refuses what the database has no place for. Throws M_BAD_JSON. */
function checkNames(events: readonly ProtoEvent[]): void {
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
  checkNames(events);
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
}

export function createLocalRoomWriter(needs: RoomWriterNeeds): LocalRoomWriter {
  const { committer, heads, headStore, interned, clock } = needs;

  function context(): ComposeContext {
    const { serverName, signingKey } = needs;
    return { serverName, signingKey, interned, now: clock.now() };
  }

  async function targetsOf(head: RoomHead, events: readonly ProtoEvent[]) {
    const ids = events.map(redactsOf);
    if (ids.every((id) => id === null)) return null;
    return Promise.all(
      ids.map((id) => (id ? headStore.event(head.roomNid, id) : Promise.resolve(null))),
    );
  }

  function composeAll(
    head: RoomHead,
    request: AppendRequest,
    targets: (WholeEvent | null)[] | null,
  ): { events: NewEvent[]; answers: (NewEvent | string)[] } {
    const at = context();
    const events: NewEvent[] = [];
    const answers = request.events.map((proto, i) => {
      const unchanged = request.skipUnchangedState ? isUnchanged(head, proto) : null;
      if (unchanged) return unchanged.eventId;
      const isRedaction = redactsOf(proto) !== null;
      const target = targets?.[i] ?? null;
      if (isRedaction) checkRedaction(head, proto.sender, target);
      const event = compose(head, proto, at, i === 0 ? (request.transaction ?? null) : null);
      events.push(event);
      if (isRedaction && target) applyRedaction(head, event, target);
      return event;
    });
    return { events, answers };
  }

  async function attempt(head: RoomHead, request: AppendRequest, alone: boolean) {
    const targets = await targetsOf(head, request.events);
    // oxlint-disable-next-line no-await-in-loop
    while (head.gate.closed()) await head.gate.closed();
    if (head.broken) throw new HeadLost();
    if (head.isBlocked && !request.ignoreBlock) {
      throw new MatrixError('M_FORBIDDEN', 'This room has been blocked on this server');
    }
    const { expect } = request;
    if (expect && !expect.memberships.includes(head.membershipOf(expect.userId))) {
      throw new MatrixError('M_FORBIDDEN', expect.otherwise);
    }
    const extremities = head.extremities;
    let composed;
    try {
      composed = composeAll(head, request, targets);
    } catch (error) {
      // Some of the events had moved the head already.
      if (head.extremities !== extremities) heads.drop(head);
      throw error;
    }
    if (composed.events.length > 0) {
      head.gate.enter();
      try {
        await committer.commit(
          eventCommit,
          { head, events: composed.events, creation: null },
          { alone },
        );
      } catch (error) {
        heads.drop(head);
        throw error;
      } finally {
        head.gate.leave();
      }
    }
    return composed.answers.map((answer) =>
      typeof answer === 'string'
        ? { eventId: answer, pos: null }
        : { eventId: answer.stored.eventId, pos: answer.stored.pos },
    );
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
    async append(request, fence) {
      const members = membersConcerned(request.events);
      await internNames(interned, request.events);
      for (let tries = 1; ; tries++) {
        const head = await heads.pinned(request.roomId, members, fence);
        if (!head) throw new MatrixError('M_NOT_FOUND', 'This server does not know the room');
        try {
          return await attempt(head, request, tries > 1);
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
