import type { BatchItem } from '../../database/database.ts';
import { authTypesFor } from '../../matrix/auth-rules.ts';
import type { BuiltEvent } from '../../matrix/event-builder.ts';
import { referenceHash } from '../../matrix/event-format.ts';
import { referencedIds } from '../../matrix/pdu.ts';
import { refusal, refusalByAuthEvents } from '../../matrix/received-pdu.ts';
import { keyOf } from '../../matrix/state-resolution/types.ts';
import type { ForkStore } from '../store/fork-events.ts';
import {
  extremitiesItem,
  ownNid,
  receiveItem,
  type ChangedMember,
} from '../store/append-received.ts';
import { stretchItem } from '../store/history.ts';
import { relationsItem } from '../store/relations.ts';
import { stickyItem } from '../store/sticky-events.ts';
import type { StoredEvent } from '../stored-event.ts';
import type { EventRow, MembershipChange } from '../streams.ts';
import { HeadLost, redactionItem } from './commit-events.ts';
import { receivedCommit } from './commit-received.ts';
import {
  ForkStates,
  isOutlier,
  partsOf,
  rejected,
  withEvent,
  type StateDelta,
} from './fork-states.ts';
import { headEntryOf, type RoomHead } from './head.ts';
import type { ReceivedEvent } from './proto-event.ts';
import type { RoomWriterNeeds } from './room-writer.ts';
import { emptyInHead, mayRedact, redacted, type WholeEvent } from './redact.ts';
import {
  columnsOf,
  membershipChange,
  membershipIn,
  stepOf,
  storedEventOf,
  unsignedOf,
} from './take-in.ts';

export interface ReceiverNeeds extends RoomWriterNeeds {
  forks: ForkStore;
}

export const isSameSet = (a: readonly string[], b: readonly string[]) => {
  const left = new Set(a);
  return left.size === new Set(b).size && b.every((id) => left.has(id));
};

/** Whether an event follows all that there is in the room, and so has the state of the head. */
export const continues = (head: RoomHead, { pdu }: BuiltEvent): boolean =>
  isSameSet(
    referencedIds(pdu.prev_events),
    head.extremities.map(({ eventId }) => eventId),
  );

const accepted = 0;
const softFailed = 1;
const outcomes = ['accepted', 'soft_failed', 'rejected'] as const;

export interface ForkOptions {
  /** What the event redacts. */
  target: WholeEvent | null;
  /** Redactions of the event may have come before it. */
  isRedacted: boolean;
  /** Ids of states after events that are not known, by their ids. */
  statesAfter: Readonly<Record<string, readonly string[]>>;
  /** Why the room's policy server does not recommend the event; null: it does, or there is none. */
  unrecommended: string | null;
  /** To be committed with nothing else. */
  alone: boolean;
}

/** What an event makes of its room. */
interface Verdict {
  status: number;
  reason: string | null;
  /** The state before the event. */
  before: StateDelta;
  /** What becomes of the current state. */
  next: StateDelta;
}

/** Receives events that do not simply continue their room, while nothing else is written to it. */
export function createForkReceiver(needs: ReceiverNeeds) {
  const { committer, heads, interned, forks } = needs;

  /** Checks 4 to 7 on receipt of a PDU, and what forks come to where they meet. */
  async function judge(
    head: RoomHead,
    states: ForkStates,
    event: BuiltEvent,
    { unrecommended, statesAfter }: ForkOptions,
  ): Promise<Verdict> {
    const { version } = head;
    const { pdu, eventId } = event;
    const prevIds = referencedIds(pdu.prev_events);
    const before = await states.resolve([
      ...(await states.after(prevIds.filter((id) => !isUnplaced(states, id)))),
      ...(await statesGiven(states, prevIds, statesAfter)),
    ]);
    const keys = authTypesFor(version, pdu).map(([type, key]) => keyOf(type, key));
    await states.load(keys.flatMap((key) => before.get(key) ?? []));
    const authEvents = referencedIds(pdu.auth_events).map((id) => {
      const { pdu: named, status } = states.get(id)!;
      return { eventId: id, pdu: named, isRejected: status === rejected };
    });
    const create = { ...head.get('m.room.create', '')!, isRejected: false };
    const wrong =
      refusalByAuthEvents(version, pdu, authEvents, create) ??
      refusal(version, pdu, states.authState(before, head));
    if (wrong !== null) return { status: rejected, reason: wrong, before, next: new Map() };
    const soft = refusal(version, pdu, head) ?? unrecommended;
    if (soft !== null) return { status: softFailed, reason: soft, before, next: new Map() };
    states.add({ ...known(head, event), status: accepted });
    const others = head.extremities.map((one) => one.eventId).filter((id) => !prevIds.includes(id));
    await states.load(others);
    const ends = [...(await states.after(others)), withEvent(before, eventId, pdu)];
    return { status: accepted, reason: null, before, next: await states.resolve(ends) };
  }

  const isUnplaced = (states: ForkStates, eventId: string): boolean => {
    const found = states.get(eventId);
    return !found || isOutlier(found);
  };

  /** The states after those of the events that are not known, as another server tells them. */
  async function statesGiven(
    states: ForkStates,
    eventIds: readonly string[],
    statesAfter: ForkOptions['statesAfter'],
  ): Promise<StateDelta[]> {
    const given: StateDelta[] = [];
    for (const id of eventIds) {
      if (!isUnplaced(states, id)) continue;
      // oxlint-disable-next-line no-await-in-loop -- few, and each may be large
      given.push(await states.given(statesAfter[id]!));
    }
    return given;
  }

  /** The event as if it were stored, so that states can name it. */
  function known(head: RoomHead, event: BuiltEvent) {
    const { typeNid, senderNid } = storedEventOf(head.roomNid, event, interned, null, null);
    return { ...event, eventNid: ownNid, typeNid, senderNid, pos: null, basePos: null };
  }

  /** Loads all that the changed entries are made of. */
  async function loadEntries(head: RoomHead, states: ForkStates, deltas: readonly StateDelta[]) {
    const parts = deltas.flatMap((delta) => [...delta.keys()].map(partsOf));
    const members = parts.flatMap(([type, key]) => (type === 'm.room.member' ? [key] : []));
    await Promise.all([
      states.load(deltas.flatMap((delta) => [...delta.values()].filter((id) => id !== null))),
      interned.types(parts.map(([type]) => type)),
      interned.users(members),
      heads.loadMembers(head, members),
    ]);
  }

  function membershipsIn(head: RoomHead, states: ForkStates, next: StateDelta) {
    const changes: MembershipChange[] = [];
    const rows: ChangedMember[] = [];
    for (const [key, id] of next) {
      const [type, userId] = partsOf(key);
      if (type !== 'm.room.member') continue;
      const entry = id === null ? undefined : states.get(id)!;
      const from = head.membershipOf(userId);
      const change = membershipChange(userId, from, membershipIn(entry?.pdu), needs);
      changes.push(change);
      rows.push({
        userNid: change.userNid,
        membership: change.to,
        entryNid: entry?.eventNid ?? 0,
        senderNid: entry?.senderNid ?? change.userNid,
        isLocal: change.isLocal,
      });
    }
    return { changes, rows };
  }

  const entriesOf = (states: ForkStates, delta: StateDelta) =>
    [...delta].map(([key, id]) => {
      const [type, stateKey] = partsOf(key);
      const typeNid = interned.cachedType(type)!;
      return { typeNid, stateKey, entryNid: id === null ? null : states.get(id)!.eventNid };
    });

  /** The event as it is to be stored: emptied when a redaction came before it. */
  function storedAs(
    head: RoomHead,
    states: ForkStates,
    event: BuiltEvent,
    before: StateDelta,
    redactions: readonly StoredEvent[],
  ) {
    const { type, state_key: stateKey } = event.pdu;
    const replaced = stateKey === undefined ? undefined : before.get(keyOf(type, stateKey));
    const entry =
      replaced === undefined
        ? stateKey === undefined
          ? undefined
          : head.get(type, stateKey)
        : replaced === null
          ? undefined
          : states.get(replaced);
    const stored = storedEventOf(head.roomNid, event, interned, unsignedOf(entry), null);
    const { envelope, contentAt } = event;
    const because = redactions.find((one) => mayRedact(head, one.sender, stored));
    if (!because) return { stored, envelope, contentAt };
    const emptied = redacted(head, because, { ...stored, envelope, contentAt });
    return { stored: emptied.target, envelope: emptied.envelope, contentAt: emptied.contentAt };
  }

  /** The head as it is once the event is stored. */
  function moveHead(head: RoomHead, states: ForkStates, next: StateDelta, own: StoredEvent) {
    for (const [key, id] of next) {
      const [type, stateKey] = partsOf(key);
      if (id === null) head.delete(type, stateKey);
      else {
        const { pdu, content } = states.get(id)!;
        // It may have been emptied.
        const entry =
          id === own.eventId ? headEntryOf(own, head.roomId) : { eventId: id, pdu, content };
        head.set({ ...entry, ...hashOf(head, pdu) });
      }
    }
  }

  /** All that is written and told with the event. */
  async function planWrite(
    head: RoomHead,
    states: ForkStates,
    event: BuiltEvent,
    verdict: Verdict,
    { target, isRedacted, gap }: ForkOptions & { gap: readonly string[] },
  ) {
    const { eventId, pdu } = event;
    const { status, before, next } = verdict;
    const isForked = status !== accepted || !continues(head, event);
    const redactions = isRedacted ? await forks.redactionsOf(head.roomNid, [eventId]) : [];
    const whole = storedAs(head, states, event, before, redactions);
    const { stored } = whole;
    stored.isForked = isForked;
    stored.isAfterGap = gap.length > 0;
    const { changes, rows } = membershipsIn(head, states, next);
    const steps = { joined: stepOf(changes, 'join'), invited: stepOf(changes, 'invite') };
    const item = receiveItem({
      event: columnsOf(stored, { ...whole, pdu }),
      status,
      redactedBy: stored.redactedBy,
      differences: isForked ? entriesOf(states, before) : null,
      entries: entriesOf(states, next),
      members: rows,
      missing: gap,
      joinedDelta: steps.joined,
      invitedDelta: steps.invited,
    });
    if (status !== accepted) return { stored, steps, items: [item], row: null };
    const mayEmpty = target?.redactedBy === null && mayRedact(head, pdu.sender, target);
    const redaction = mayEmpty ? redacted(head, stored, target) : null;
    const row: EventRow = {
      roomId: head.roomId,
      roomVersion: head.version.id,
      event: stored,
      memberships: changes,
      changed: isForked ? [...next.keys()].map(partsOf) : null,
      redacted: redaction?.target ?? null,
    };
    const relations = relationsItem([stored]);
    const sticky = stickyItem([stored]);
    const items = [item, ...(relations ? [relations] : []), ...(sticky ? [sticky] : [])];
    if (redaction) items.push(redactionItem(redaction));
    if (gap.length > 0) items.push(stretchItem(head.roomNid, eventId, gap));
    return { stored, steps, items, row };
  }

  /** The event takes the place of those that it follows. */
  function follow(head: RoomHead, { eventId, pdu }: BuiltEvent): BatchItem[] {
    const prevIds = new Set(referencedIds(pdu.prev_events));
    const others = head.extremities.filter((one) => !prevIds.has(one.eventId));
    const own = { eventId, depth: pdu.depth, ...hashOf(head, pdu) };
    const marks = head.setExtremities([...others, own]);
    return marks ? [extremitiesItem(head.roomNid, marks)] : [];
  }

  return async function receiveFork(
    head: RoomHead,
    event: BuiltEvent,
    options: ForkOptions,
  ): Promise<ReceivedEvent> {
    if (head.broken) throw new HeadLost();
    const { eventId, pdu } = event;
    const states = new ForkStates(forks, head.roomNid, head.version);
    const named = [...referencedIds(pdu.prev_events), ...referencedIds(pdu.auth_events)];
    await states.load(named);
    const prevIds = new Set(referencedIds(pdu.prev_events));
    const missing = [...new Set(named)].filter((id) =>
      prevIds.has(id)
        ? isUnplaced(states, id) && !Object.hasOwn(options.statesAfter, id)
        : !states.get(id),
    );
    if (missing.length > 0) {
      return { eventId, outcome: 'missing', reason: null, missing, pos: null };
    }

    const verdict = await judge(head, states, event, options);
    const { before, next, status, reason } = verdict;
    await loadEntries(head, states, [before, next]);
    const gap = [...prevIds].filter((id) => isUnplaced(states, id));
    const plan = await planWrite(head, states, event, verdict, { ...options, gap });
    const { stored, steps, items, row } = plan;
    if (row) items.push(...follow(head, event));
    try {
      await committer.commit(receivedCommit, { head, items, row }, { alone: options.alone });
    } catch (error) {
      heads.drop(head);
      throw error;
    }
    moveHead(head, states, next, stored);
    head.joinedCount += steps.joined;
    head.invitedCount += steps.invited;
    if (row?.redacted) emptyInHead(head, row.redacted);
    return { eventId, outcome: outcomes[status]!, reason, missing: [], pos: stored.pos };
  };
}

const hashOf = (head: RoomHead, pdu: BuiltEvent['pdu']) =>
  head.version.eventIdFormat === 'explicit'
    ? { referenceHash: referenceHash(head.version, pdu) }
    : {};
