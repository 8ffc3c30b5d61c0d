import { authTypesFor, checkAuthorised, NotAuthorised, ownerOf } from '../../matrix/auth-rules.ts';
import {
  buildPdu,
  EventTooLarge,
  type BuiltEvent,
  type UnsignedPdu,
} from '../../matrix/event-builder.ts';
import { NotCanonical } from '../../matrix/canonical-json.ts';
import { canonicalFor } from '../../matrix/pdu-text.ts';
import type { Pdu } from '../../matrix/pdu.ts';
import type { RoomVersion } from '../../matrix/room-versions.ts';
import { parseServerAcl } from '../../matrix/server-acl.ts';
import type { SigningKey } from '../../matrix/signing.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { prevEventsMax, type Extremity, type HeadEntry, type RoomHead } from './head.ts';
import type { ProtoEvent } from './proto-event.ts';
import type { TakeInContext } from './take-in.ts';

/** What composing needs beside the head. */
export interface ComposeContext extends TakeInContext {
  signingKey: SigningKey;
  now: number;
}

function placeOf(head: RoomHead, proto: ProtoEvent, now: number): Pdu {
  const references = head.version.eventIdFormat === 'explicit';
  const reference = ({ eventId, referenceHash: sha256 }: Extremity | HeadEntry) => {
    if (!references) return eventId;
    if (sha256 === undefined) throw new Error(`the reference hash of ${eventId} is not known`);
    return [eventId, { sha256 }] as [string, { sha256: string }];
  };
  const pdu: Pdu = {
    sender: proto.sender,
    type: proto.type,
    content: proto.content,
    origin_server_ts: proto.originServerTs ?? now,
    depth: Math.min(head.depth() + 1, Number.MAX_SAFE_INTEGER),
    prev_events: head.extremities.slice(0, prevEventsMax).map(reference),
    auth_events: [],
    hashes: { sha256: '' },
    signatures: {},
  };
  if (proto.stateKey !== undefined) pdu.state_key = proto.stateKey;
  if (proto.stickyMs !== undefined) pdu.msc4354_sticky = { duration_ms: proto.stickyMs };
  if (proto.redacts !== undefined) pdu.redacts = proto.redacts;
  if (!(head.version.roomIdIsCreateHash && proto.type === 'm.room.create')) {
    pdu.room_id = head.roomId;
  }
  for (const [type, stateKey] of authTypesFor(head.version, pdu)) {
    const entry = head.get(type, stateKey);
    if (entry) pdu.auth_events.push(reference(entry));
  }
  return pdu;
}

/** Throws M_BAD_JSON for a state key that claims to be a user's and is not (MSC3757). */
function checkOwner(head: RoomHead, { type, state_key: stateKey }: Pdu): void {
  if (!head.version.ownedState || !stateKey?.startsWith('@') || type === 'm.room.member') return;
  if (ownerOf(stateKey) !== null) return;
  throw new MatrixError('M_BAD_JSON', 'state_key is neither a user id nor one followed by `_`');
}

function authorise(head: RoomHead, pdu: Pdu): void {
  checkOwner(head, pdu);
  try {
    checkAuthorised(head.version, pdu, head);
  } catch (error) {
    if (!(error instanceof NotAuthorised)) throw error;
    const code = error.isMalformed ? 'M_BAD_JSON' : 'M_FORBIDDEN';
    throw new MatrixError(code, error.message, { cause: error });
  }
}

/** An event for others to complete: all but hashes and signatures. */
export interface EventTemplate {
  roomVersion: string;
  event: UnsignedPdu;
}

/** The event at its place in the room, authorised. Throws M_FORBIDDEN, M_BAD_JSON. */
export function templateOf(head: RoomHead, proto: ProtoEvent, now: number): EventTemplate {
  const place = placeOf(head, proto, now);
  authorise(head, place);
  const { hashes: _hashes, signatures: _signatures, ...event } = place;
  return { roomVersion: head.version.id, event };
}

/** Throws M_UNKNOWN (400) for access rules that shut out this server: nobody here could set them right. */
function checkServerAcl({ type, stateKey, content }: ProtoEvent, serverName: string): void {
  if (type !== 'm.room.server_acl' || stateKey !== '') return;
  if (parseServerAcl(content).allows(serverName)) return;
  throw new MatrixError('M_UNKNOWN', "Can't create an ACL event that denies the local server");
}

/** Whether the event would be authorised against the head as it is. */
export function isAllowed(head: RoomHead, proto: ProtoEvent, now: number): boolean {
  try {
    authorise(head, placeOf(head, proto, now));
    return true;
  } catch (error) {
    if (error instanceof MatrixError) return false;
    throw error;
  }
}

/** What the sender of an event is told when it cannot be one. */
export function faultOfEvent(error: unknown): unknown {
  if (error instanceof EventTooLarge) {
    return new MatrixError('M_TOO_LARGE', error.message, { cause: error });
  }
  if (error instanceof NotCanonical) {
    return new MatrixError('M_BAD_JSON', error.message, { cause: error });
  }
  return error;
}

/** Hashes and signs an event. Throws `MatrixError`: M_TOO_LARGE, M_BAD_JSON. */
export function signEvent(
  version: RoomVersion,
  event: UnsignedPdu,
  by: { serverName: string; signingKey: SigningKey },
): BuiltEvent {
  try {
    return buildPdu(version, event, by.serverName, by.signingKey);
  } catch (error) {
    throw faultOfEvent(error);
  }
}

/**
 * Authorises an event against the head, gives it its place, hashes and signs it. Throws `MatrixError`
 * when it is not allowed or too large.
 */
export function buildNext(head: RoomHead, proto: ProtoEvent, context: ComposeContext): BuiltEvent {
  checkServerAcl(proto, context.serverName);
  return signEvent(head.version, templateOf(head, proto, context.now).event, context);
}

/** Whether a state event would say just what the state says already. Throws M_BAD_JSON. */
export function isUnchanged(head: RoomHead, proto: ProtoEvent): HeadEntry | null {
  if (proto.stateKey === undefined) return null;
  const before = head.get(proto.type, proto.stateKey);
  if (!before || before.pdu.sender !== proto.sender) return null;
  try {
    return before.content === canonicalFor(head.version, proto.content) ? before : null;
  } catch (error) {
    throw faultOfEvent(error);
  }
}
