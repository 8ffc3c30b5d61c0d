import { hash, randomBytes } from 'node:crypto';
import { toBase64 } from './base64.ts';
import { isCanonicalNumber, NotCanonical } from './canonical-json.ts';
import { eventBytesMax, eventIdFromText, signableText } from './event-format.ts';
import { fitsIdBytes, idBytesMax } from './ids.ts';
import type { Pdu } from './pdu.ts';
import { canonicalFor, PduText, type SplitPdu } from './pdu-text.ts';
import { redactContent } from './redaction.ts';
import type { RoomVersion } from './room-versions.ts';
import type { SigningKey } from './signing.ts';

/** An event before its hash, signature and id. */
export type UnsignedPdu = Omit<Pdu, 'hashes' | 'signatures' | 'unsigned'>;

export interface BuiltEvent extends SplitPdu {
  eventId: string;
  pdu: Pdu;
}

/** An event above a size limit; the message says which. Clients are told M_TOO_LARGE. */
export class EventTooLarge extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EventTooLarge';
  }
}

const limitedFields = ['sender', 'type', 'state_key', 'room_id', 'event_id'] as const;

function checkFields(event: UnsignedPdu): void {
  for (const name of limitedFields) {
    const text = event[name];
    if (text !== undefined && !fitsIdBytes(text)) {
      throw new EventTooLarge(`${name} has more than ${idBytesMax} bytes`);
    }
  }
  for (const name of ['depth', 'origin_server_ts'] as const) {
    if (!isCanonicalNumber(event[name])) throw new NotCanonical(`${name} is not an integer`);
  }
}

/** Bytes of `"content":,`, which joins the two texts. */
const joiningBytes = 11;

function checkSize(content: string, envelope: string): void {
  const bytes = Buffer.byteLength(content) + Buffer.byteLength(envelope) + joiningBytes;
  if (bytes > eventBytesMax) {
    throw new EventTooLarge(`the event has ${bytes} bytes; ${eventBytesMax} is the most`);
  }
}

/** The pieces of an event's canonical JSON, in order; content, hashes and signatures go between. */
interface Pieces {
  beforeContent: string;
  beforeHashes: string;
  /** Not kept when redacted, and so not signed. */
  sticky: string;
  origin: string;
  beforeRedacts: string;
  redacts: string;
  beforeSignatures: string;
  end: string;
}

function piecesOf(version: RoomVersion, event: UnsignedPdu): Pieces {
  const member = (name: keyof UnsignedPdu) => {
    const value = event[name];
    return value === undefined ? '' : `"${name}":${canonicalFor(version, value)},`;
  };
  return {
    beforeContent: `{${member('auth_events')}`,
    beforeHashes: `"depth":${event.depth},${member('event_id')}`,
    sticky: member('msc4354_sticky'),
    origin: member('origin'),
    beforeRedacts: `"origin_server_ts":${event.origin_server_ts},${member('prev_events')}`,
    redacts: member('redacts'),
    beforeSignatures: member('room_id') + member('sender'),
    end: `${member('state_key')}"type":${canonicalFor(version, event.type)}}`,
  };
}

/** Random part of an event id in room versions 1 and 2, in bytes. */
const explicitIdBytes = 18;

function withId(version: RoomVersion, event: UnsignedPdu, serverName: string): UnsignedPdu {
  if (version.eventIdFormat !== 'explicit' || event.event_id !== undefined) return event;
  const letters = randomBytes(explicitIdBytes).toString('base64url');
  return { ...event, event_id: `$${letters}:${serverName}` };
}

/**
 * Hashes and signs an event and gives it its id. The content is put into canonical form once, for
 * hash, signature and storage alike. Throws EventTooLarge, and NotCanonical for what has no
 * canonical form. Source: server-server spec, "Signing Events".
 */
export function buildPdu(
  version: RoomVersion,
  unsigned: UnsignedPdu,
  serverName: string,
  key: SigningKey,
): BuiltEvent {
  const event = withId(version, unsigned, serverName);
  checkFields(event);
  const content = canonicalFor(version, event.content);
  const p = piecesOf(version, event);
  const contentMember = `"content":${content},`;
  const hashed = `${p.beforeContent}${contentMember}${p.beforeHashes}${p.sticky}${p.origin}${p.beforeRedacts}${p.redacts}${p.beforeSignatures}${p.end}`;
  const sha256 = toBase64(hash('sha256', hashed, 'buffer'));
  const beforeOrigin = `${p.beforeHashes}"hashes":{"sha256":"${sha256}"},`;

  // Signed is the redacted event; of a message nothing of the content remains.
  const redacted = redactContent(version, event.type, event.content);
  const keptContent = redacted === event.content ? content : canonicalFor(version, redacted);
  const keptOrigin = version.updatedRedaction ? '' : p.origin;
  const signable = Buffer.from(
    `${p.beforeContent}"content":${keptContent},${beforeOrigin}${keptOrigin}${p.beforeRedacts}${p.beforeSignatures}${p.end}`,
  );
  const signature = key.sign(signable);
  const signatures = `"signatures":{${JSON.stringify(serverName)}:{${JSON.stringify(key.id)}:"${signature}"}},`;
  const envelope = `${p.beforeContent}${beforeOrigin}${p.sticky}${p.origin}${p.beforeRedacts}${p.redacts}${p.beforeSignatures}${signatures}${p.end}`;
  checkSize(content, envelope);
  return {
    eventId:
      version.eventIdFormat === 'explicit' ? event.event_id! : eventIdFromText(version, signable),
    pdu: { ...event, hashes: { sha256 }, signatures: { [serverName]: { [key.id]: signature } } },
    content,
    envelope,
    contentAt: p.beforeContent.length,
  };
}

/** A PDU in its stored form; `unsigned` is left out. */
export const splitPdu = (version: RoomVersion, pdu: Pdu): SplitPdu =>
  new PduText(version, pdu).split();

/** The whole PDU as canonical JSON text. */
export function joinPdu(envelope: string, contentAt: number, content: string): string {
  return `${envelope.slice(0, contentAt)}"content":${content},${envelope.slice(contentAt)}`;
}

/** An event with one more signature; its id stays. Throws EventTooLarge. */
export function withSignature(
  version: RoomVersion,
  event: Pick<BuiltEvent, 'eventId' | 'pdu'>,
  by: { entity: string; keyId: string; signature: string },
): BuiltEvent {
  const { signatures } = event.pdu;
  const own = { ...signatures[by.entity], [by.keyId]: by.signature };
  const pdu: Pdu = { ...event.pdu, signatures: { ...signatures, [by.entity]: own } };
  const split = splitPdu(version, pdu);
  checkSize(split.content, split.envelope);
  return { eventId: event.eventId, pdu, ...split };
}

/** An event that others have made, signed by this server too. Throws EventTooLarge. */
export function countersign(
  version: RoomVersion,
  event: Pick<BuiltEvent, 'eventId' | 'pdu'>,
  serverName: string,
  key: SigningKey,
): BuiltEvent {
  const signature = key.sign(signableText(version, event.pdu));
  return withSignature(version, event, { entity: serverName, keyId: key.id, signature });
}
