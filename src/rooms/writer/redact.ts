import { MatrixError } from '../../kernel/errors.ts';
import { joinPdu, splitPdu } from '../../matrix/event-builder.ts';
import { redactPdu } from '../../matrix/event-format.ts';
import { serverNameOf } from '../../matrix/ids.ts';
import type { Pdu } from '../../matrix/pdu.ts';
import type { StoredEvent } from '../stored-event.ts';
import type { NewEvent, Redaction } from './commit-events.ts';
import { headEntryOf, type RoomHead } from './head.ts';

/** A stored event together with the rest of its PDU. */
export type WholeEvent = StoredEvent & { envelope: string; contentAt: number };

/**
 * Whether a redaction takes effect on its target: the redactor wrote it, or may redact others'
 * events (room version 3 on); in versions 1 and 2 being of the same server suffices.
 */
export function mayRedact(head: RoomHead, redactor: string, target: StoredEvent): boolean {
  if (target.type === 'm.room.create') return false;
  if (redactor === target.sender) return true;
  if (
    head.version.eventIdFormat === 'explicit' &&
    serverNameOf(redactor) === serverNameOf(target.sender)
  ) {
    return true;
  }
  return mayRedactOthers(head, redactor);
}

function mayRedactOthers(head: RoomHead, redactor: string): boolean {
  const levels = head.powerLevels();
  return levels.userLevel(redactor) >= levels.required('redact');
}

/**
 * Throws what a client is told when its redaction would have no effect. An event that is not known here
 * may be known elsewhere, or come yet: whoever may redact others' events may redact it.
 */
export function checkRedaction(head: RoomHead, redactor: string, target: StoredEvent | null): void {
  if (!target) {
    if (mayRedactOthers(head, redactor)) return;
    throw new MatrixError('M_NOT_FOUND', 'The event to redact is not in this room');
  }
  // Emptied, it would shut out every server.
  const isLasting = target.type === 'm.room.server_acl' && target.stateKey !== null;
  if (isLasting || !mayRedact(head, redactor, target)) {
    throw new MatrixError('M_FORBIDDEN', 'You may not redact this event');
  }
}

/** The target as it is after its redaction. */
export function redacted(head: RoomHead, because: StoredEvent, target: WholeEvent): Redaction {
  const pdu = JSON.parse(joinPdu(target.envelope, target.contentAt, target.content)) as Pdu;
  const { content, envelope, contentAt } = splitPdu(head.version, redactPdu(head.version, pdu));
  const unsigned = `"redacted_because":{"content":${because.content},"event_id":${JSON.stringify(because.eventId)},"origin_server_ts":${because.originServerTs},"redacts":${JSON.stringify(target.eventId)},"room_id":${JSON.stringify(head.roomId)},"sender":${JSON.stringify(because.sender)},"type":"m.room.redaction","unsigned":{}},"redacted_by":${JSON.stringify(because.eventId)}`;
  const { parsed: _parsed, clientPrefix: _prefix, ...columns } = target;
  const emptied: StoredEvent = { ...columns, content, unsigned, redactedBy: because.eventId };
  return { target: emptied, envelope, contentAt };
}

/** Empties the target of an event: sets what is to be stored and shown, also in the head. */
export function applyRedaction(head: RoomHead, event: NewEvent, target: WholeEvent): void {
  if (target.redactedBy !== null) return;
  event.redaction = redacted(head, event.stored, target);
  emptyInHead(head, event.redaction.target);
}

/** Where a redacted event is an entry of the current state, it is one that has been emptied. */
export function emptyInHead(head: RoomHead, emptied: StoredEvent): void {
  const { type, stateKey, eventId } = emptied;
  if (stateKey === null || head.get(type, stateKey)?.eventId !== eventId) return;
  head.set(headEntryOf(emptied, head.roomId));
}
