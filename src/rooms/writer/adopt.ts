import type { BuiltEvent } from '../../matrix/event-builder.ts';
import { serverNameOf } from '../../matrix/ids.ts';
import { referencedIds } from '../../matrix/pdu.ts';
import { keyOf } from '../../matrix/state-resolution/types.ts';
import type { Fence } from '../../database/fence.ts';
import {
  extremitiesItem,
  ownNid,
  receiveItem,
  type ChangedMember,
} from '../store/append-received.ts';
import { stretchItem, type HistoryStore } from '../store/history.ts';
import { unplaceStrays, type OutlierStore, type StateEntryRow } from '../store/outliers.ts';
import type { EventRow, MembershipChange } from '../streams.ts';
import { createAlone } from './alone.ts';
import { receivedCommit } from './commit-received.ts';
import { partsOf } from './fork-states.ts';
import type { RoomHead } from './head.ts';
import { internNames } from './room-writer.ts';
import type { ReceiverNeeds } from './receive-fork.ts';
import type { WholeEvent } from './redact.ts';
import { columnsOf, membershipChange, membershipIn, storedEventOf, unsignedOf } from './take-in.ts';
import { strippedKey } from '../stray-state.ts';

/** A join by which this server enters a room. Plain data: it may cross processes. */
export interface AdoptRequest {
  roomId: string;
  /** The state before the join; all of it stored. */
  stateIds: string[];
  /** The join, signed, and checked against that state. */
  event: BuiltEvent;
}

/** A membership that was told out of the room's timeline, while this server is not in the room. */
export interface StrayRequest {
  roomId: string;
  event: BuiltEvent;
  /** Stripped state, as it came with the event, as JSON text; null: none. */
  strippedState: string | null;
}

const protoOf = ({ pdu }: BuiltEvent) => ({
  sender: pdu.sender,
  type: pdu.type,
  content: pdu.content,
  stateKey: pdu.state_key!,
});

const keyed = (entries: readonly StateEntryRow[]) =>
  new Map(entries.map((entry) => [keyOf(entry.type, entry.stateKey), entry]));

/** An entry of the current state that is another afterwards. */
interface EntryChange {
  key: string;
  before: StateEntryRow | undefined;
  after: StateEntryRow | undefined;
}

const memberRow = (
  { userNid, to, isLocal }: MembershipChange,
  entryNid: number,
  senderNid: number,
): ChangedMember => ({ userNid, membership: to, entryNid, senderNid, isLocal });

/** What the join takes the place of, as `unsigned` tells it. */
const entryOf = (prior: WholeEvent, { pdu }: BuiltEvent) => ({
  eventId: prior.eventId,
  content: prior.content,
  pdu: { ...pdu, sender: prior.sender },
});

const count = (entries: Iterable<StateEntryRow>, membership: string) =>
  [...entries].filter((entry) => entry.membership === membership).length;

export interface AdopterNeeds extends ReceiverNeeds {
  outliers: OutlierStore;
  history: Pick<HistoryStore, 'placedAmong'>;
}

/** Takes over rooms as other servers have them, and memberships in rooms that it is not in. */
export function createAdopter(needs: AdopterNeeds) {
  const { committer, heads, headStore, interned, outliers, forks, history } = needs;

  const whenAlone = createAlone(heads);

  async function alone<T>(
    { roomId, event }: { roomId: string; event: BuiltEvent },
    fence: Fence | null,
    work: (head: RoomHead, isRetry: boolean) => Promise<T>,
  ): Promise<T> {
    await internNames(interned, [protoOf(event)]);
    return whenAlone(roomId, fence, work);
  }

  /** Where the event stands already, when the call is made for the second time. */
  async function knownPos(head: RoomHead, eventId: string): Promise<number | null> {
    const [known] = await forks.known(head.roomNid, [eventId]);
    return known?.pos ?? null;
  }

  /** What becomes of the entries of the current state. */
  function changesOf(
    wanted: ReadonlyMap<string, StateEntryRow>,
    current: ReadonlyMap<string, StateEntryRow>,
    ownKey: string,
  ): EntryChange[] {
    const keys = new Set([...wanted.keys(), ...current.keys()]);
    keys.delete(ownKey);
    return [...keys].flatMap((key) => {
      const [before, after] = [current.get(key), wanted.get(key)];
      return before?.eventId === after?.eventId ? [] : [{ key, before, after }];
    });
  }

  /** What becomes of a membership with an entry of the state. */
  function memberIn({
    before,
    after,
  }: EntryChange): { change: MembershipChange; row: ChangedMember } | null {
    const { stateKey: userId, memberNid } = (after ?? before)!;
    if (memberNid === null) return null;
    const change = {
      userId,
      userNid: memberNid,
      isLocal: serverNameOf(userId) === needs.serverName,
      from: before?.membership ?? 'leave',
      to: after?.membership ?? 'leave',
    };
    const row = memberRow(change, after?.eventNid ?? 0, after?.senderNid ?? memberNid);
    return { change, row };
  }

  async function adoptInto(head: RoomHead, { stateIds, event }: AdoptRequest, isAlone: boolean) {
    const earlier = await knownPos(head, event.eventId);
    if (earlier !== null) return earlier;
    const { roomNid } = head;
    const { type, state_key: userId = '' } = event.pdu;
    const ownKey = keyOf(type, userId);
    const prevIds = referencedIds(event.pdu.prev_events);
    const [wantedRows, currentRows, from, placed] = await Promise.all([
      outliers.entries(roomNid, stateIds),
      outliers.currentEntries(roomNid),
      outliers.membershipOf(roomNid, userId),
      history.placedAmong(roomNid, prevIds),
    ]);
    const missing = prevIds.filter((id) => !placed.has(id));
    if (wantedRows.length < stateIds.length) throw new Error('some of the state is not stored');
    const wanted = keyed(wantedRows);
    const changes = changesOf(wanted, keyed(currentRows), ownKey);
    const prior = wanted.get(ownKey);
    const priorEvent = prior ? await headStore.event(roomNid, prior.eventId) : null;

    const unsigned = priorEvent && unsignedOf(entryOf(priorEvent, event));
    const stored = storedEventOf(roomNid, event, interned, unsigned, null);
    stored.isForked = true;
    stored.isAfterGap = missing.length > 0;
    const own = membershipChange(userId, from, membershipIn(event.pdu), needs);
    const others = changes.flatMap((change) => memberIn(change) ?? []);
    const rest = [...wanted.values()].filter((entry) => entry !== prior);
    const item = receiveItem({
      event: columnsOf(stored, event),
      status: 0,
      redactedBy: null,
      differences: [
        { typeNid: stored.typeNid, stateKey: userId, entryNid: prior?.eventNid ?? null },
      ],
      differsFrom: 'own_position',
      entries: [
        { typeNid: stored.typeNid, stateKey: userId, entryNid: ownNid },
        ...changes.map(({ before, after }) => {
          const { typeNid, stateKey } = (after ?? before)!;
          return { typeNid, stateKey, entryNid: after?.eventNid ?? null };
        }),
      ],
      members: [memberRow(own, ownNid, stored.senderNid), ...others.map(({ row }) => row)],
      missing,
      joinedDelta: count(rest, 'join') + 1 - head.joinedCount,
      invitedDelta: count(rest, 'invite') - head.invitedCount,
    });
    const row: EventRow = {
      roomId: head.roomId,
      roomVersion: head.version.id,
      event: stored,
      memberships: [own, ...others.map(({ change }) => change)],
      changed: [[type, userId] as const, ...changes.map(({ key }) => partsOf(key))],
      redacted: null,
    };
    const strays = { statement: unplaceStrays as never, params: [roomNid] };
    const items = [item, strays, extremitiesItem(roomNid, [])];
    if (missing.length > 0) items.push(stretchItem(roomNid, event.eventId, missing));
    return committer.commit(receivedCommit, { head, items, row }, { alone: isAlone });
  }

  async function takeStray(head: RoomHead, request: StrayRequest, isAlone: boolean) {
    const { event, strippedState } = request;
    const earlier = await knownPos(head, event.eventId);
    if (earlier !== null) return earlier;
    const { roomNid } = head;
    const userId = event.pdu.state_key!;
    const from = await outliers.membershipOf(roomNid, userId);
    const unsigned = strippedState === null ? null : `"${strippedKey}":${strippedState}`;
    const stored = storedEventOf(roomNid, event, interned, unsigned, null);
    const change = membershipChange(userId, from, membershipIn(event.pdu), needs);
    const item = receiveItem({
      event: columnsOf(stored, event),
      status: 0,
      redactedBy: null,
      differences: null,
      entries: [],
      members: [memberRow(change, ownNid, stored.senderNid)],
      missing: [],
      joinedDelta: 0,
      invitedDelta: 0,
    });
    const row: EventRow = {
      roomId: head.roomId,
      roomVersion: head.version.id,
      event: stored,
      memberships: [change],
      changed: null,
      redacted: null,
    };
    return committer.commit(receivedCommit, { head, items: [item], row }, { alone: isAlone });
  }

  return {
    /** Enters a room with a join; gives its position. Throws M_NOT_FOUND for an unknown room. */
    adopt: (request: AdoptRequest, fence: Fence | null): Promise<number> =>
      alone(request, fence, (head, isRetry) => adoptInto(head, request, isRetry)),
    /** Stores a membership beside the room's timeline; gives its position. */
    takeStray: (request: StrayRequest, fence: Fence | null): Promise<number> =>
      alone(request, fence, (head, isRetry) => takeStray(head, request, isRetry)),
  };
}

export type Adopter = ReturnType<typeof createAdopter>;
