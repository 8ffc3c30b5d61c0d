import type { BuiltEvent } from '../../matrix/event-builder.ts';
import { referenceHash } from '../../matrix/event-format.ts';
import { serverNameOf } from '../../matrix/ids.ts';
import type { Pdu } from '../../matrix/pdu.ts';
import type { EventColumns } from '../store/append-events.ts';
import type { Interned } from '../store/interned.ts';
import { withStickyMark } from '../sticky.ts';
import type { StoredEvent } from '../stored-event.ts';
import type { MembershipChange } from '../streams.ts';
import type { NewEvent } from './commit-events.ts';
import type { HeadEntry, RoomHead } from './head.ts';
import type { TransactionKey } from './proto-event.ts';

/** What taking in an event needs beside the head. */
export interface TakeInContext {
  serverName: string;
  interned: Interned;
}

/** The id of the event that a redaction names; null: it is no redaction, or names none. */
export function redactsOf(pdu: Pick<Pdu, 'type' | 'redacts' | 'content'>): string | null {
  if (pdu.type !== 'm.room.redaction') return null;
  const id = pdu.redacts ?? pdu.content['redacts'];
  return typeof id === 'string' ? id : null;
}

/** The stored part of `unsigned` of an event that takes the place of another. */
export function unsignedOf(before: Pick<HeadEntry, 'eventId' | 'content' | 'pdu'> | undefined) {
  if (!before) return null;
  return `"prev_content":${before.content},"prev_sender":${JSON.stringify(before.pdu.sender)},"replaces_state":${JSON.stringify(before.eventId)}`;
}

/** The membership that a member event gives; `leave` where it is none. */
export const membershipIn = (pdu: Pick<Pdu, 'content'> | undefined): string =>
  typeof pdu?.content['membership'] === 'string' ? pdu.content['membership'] : 'leave';

/** A membership that becomes another. The user must have been interned. */
export function membershipChange(
  userId: string,
  from: string,
  to: string,
  { interned, serverName }: TakeInContext,
): MembershipChange {
  const userNid = interned.cachedUser(userId);
  if (userNid === undefined) throw new Error(`${userId} was not interned`);
  return { userId, userNid, isLocal: serverNameOf(userId) === serverName, from, to };
}

/** By how much a number of members with that membership changes. */
export const stepOf = (changes: readonly MembershipChange[], membership: string): number =>
  changes.reduce(
    (sum, { from, to }) => sum + Number(to === membership) - Number(from === membership),
    0,
  );

/** An event as readers will see it, but for its position. Its names must have been interned. */
export function storedEventOf(
  roomNid: number,
  { eventId, pdu, content }: BuiltEvent,
  interned: Interned,
  unsigned: string | null,
  transaction: TransactionKey | null,
): StoredEvent {
  const senderNid = interned.cachedUser(pdu.sender);
  const typeNid = interned.cachedType(pdu.type);
  if (senderNid === undefined || typeNid === undefined) throw new Error('names were not interned');
  return {
    roomNid,
    eventNid: 0,
    pos: null,
    sub: 0,
    eventId,
    typeNid,
    type: pdu.type,
    stateKey: pdu.state_key ?? null,
    sender: pdu.sender,
    senderNid,
    originServerTs: pdu.origin_server_ts,
    content,
    unsigned: withStickyMark(pdu, unsigned),
    deviceNid: transaction?.deviceNid ?? null,
    txnId: transaction?.txnId ?? null,
    redactedBy: null,
    redacts: redactsOf(pdu),
    isForked: false,
    isAfterGap: false,
    parsed: pdu.content,
  };
}

/** The columns of the events table for an event. */
export function columnsOf(
  stored: StoredEvent,
  { pdu, envelope, contentAt }: Pick<BuiltEvent, 'pdu' | 'envelope' | 'contentAt'>,
): EventColumns {
  const { roomNid, eventId, typeNid, stateKey, senderNid, originServerTs } = stored;
  const { content, unsigned, redacts } = stored;
  const { depth } = pdu;
  return {
    roomNid,
    eventId,
    typeNid,
    stateKey,
    senderNid,
    originServerTs,
    depth,
    content,
    envelope,
    contentAt,
    unsigned,
    redacts,
  };
}

/**
 * Moves the head on by an event whose prev_events are its extremities, and which is authorised.
 * Synchronous, so that nothing comes between.
 */
export function takeIn(
  head: RoomHead,
  built: BuiltEvent,
  context: TakeInContext,
  transaction: TransactionKey | null,
): NewEvent {
  const { pdu, eventId, content } = built;
  const before = pdu.state_key === undefined ? undefined : head.get(pdu.type, pdu.state_key);
  const stored = storedEventOf(
    head.roomNid,
    built,
    context.interned,
    unsignedOf(before),
    transaction,
  );
  const memberships =
    pdu.type === 'm.room.member' && pdu.state_key !== undefined
      ? [membershipChange(pdu.state_key, membershipIn(before?.pdu), membershipIn(pdu), context)]
      : [];
  const joinedDelta = stepOf(memberships, 'join');
  const invitedDelta = stepOf(memberships, 'invite');
  const hashed =
    head.version.eventIdFormat === 'explicit'
      ? { referenceHash: referenceHash(head.version, pdu) }
      : {};
  const marks = head.follow({ eventId, depth: pdu.depth, ...hashed });
  head.joinedCount += joinedDelta;
  head.invitedCount += invitedDelta;
  if (pdu.state_key !== undefined) head.set({ eventId, pdu, content, ...hashed });
  const [change] = memberships;
  return {
    columns: {
      ...columnsOf(stored, built),
      deviceNid: stored.deviceNid,
      txnId: stored.txnId,
      txnScope: transaction?.scope ?? null,
      membership: change?.to ?? null,
      memberNid: change?.userNid ?? null,
      memberIsLocal: change?.isLocal ?? null,
      joinedDelta,
      invitedDelta,
    },
    stored,
    memberships,
    redaction: null,
    marks,
  };
}
