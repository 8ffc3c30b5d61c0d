import { hash, randomBytes } from 'node:crypto';
import { toBase64 } from './base64.ts';
import { canonicalFor, eventIdFromText } from './event-format.ts';
import type { Pdu } from './pdu.ts';
import { redactContent } from './redaction.ts';
import type { RoomVersion } from './room-versions.ts';
import type { SigningKey } from './signing.ts';

/** An event before its hash, signature and id. */
export type UnsignedPdu = Omit<Pdu, 'hashes' | 'signatures' | 'unsigned'>;

/** A PDU's canonical JSON in two parts, so that the content can be read without the rest. */
export interface SplitPdu {
  /** Canonical JSON text of the content. */
  content: string;
  /** Canonical JSON text of everything but the content. */
  envelope: string;
  /** Where in `envelope`, in UTF-16 units, `"content":…,` belongs. */
  contentAt: number;
}

export interface BuiltEvent extends SplitPdu {
  eventId: string;
  pdu: Pdu;
}

/** Members of the envelope that sort before `content`: auth_events alone. */
function authEventsText(pdu: UnsignedPdu): string {
  return `{"auth_events":${JSON.stringify(pdu.auth_events)},`;
}

interface Tail {
  beforeHashes: string;
  afterHashes: string;
  afterSignatures: string;
}

/** The envelope after `content`, in key order, in the pieces that hash and signature go between. */
function tailOf(version: RoomVersion, pdu: UnsignedPdu): Tail {
  let beforeHashes = `"depth":${pdu.depth},`;
  if (pdu.event_id !== undefined) beforeHashes += `"event_id":${JSON.stringify(pdu.event_id)},`;
  let afterHashes = '';
  if (pdu.origin !== undefined) afterHashes += `"origin":${JSON.stringify(pdu.origin)},`;
  afterHashes += `"origin_server_ts":${pdu.origin_server_ts},"prev_events":${canonicalFor(version, pdu.prev_events)},`;
  return { beforeHashes, afterHashes, afterSignatures: '' };
}

function endOf(pdu: UnsignedPdu, redacts: string | undefined): { before: string; after: string } {
  let before = '';
  if (redacts !== undefined) before += `"redacts":${JSON.stringify(redacts)},`;
  if (pdu.room_id !== undefined) before += `"room_id":${JSON.stringify(pdu.room_id)},`;
  before += `"sender":${JSON.stringify(pdu.sender)},`;
  let after = '';
  if (pdu.state_key !== undefined) after += `"state_key":${JSON.stringify(pdu.state_key)},`;
  after += `"type":${JSON.stringify(pdu.type)}}`;
  return { before, after };
}

/** Random part of an event id in room versions 1 and 2, in bytes. */
const explicitIdBytes = 18;

/**
 * Hashes and signs an event and gives it its id. The content is put into canonical form once, for
 * hash, signature and storage alike. Throws NotCanonical for content that has no canonical form.
 * Source: server-server spec, "Signing Events".
 */
export function buildPdu(
  version: RoomVersion,
  unsigned: UnsignedPdu,
  serverName: string,
  key: SigningKey,
): BuiltEvent {
  let event = unsigned;
  if (version.eventIdFormat === 'explicit' && event.event_id === undefined) {
    const letters = randomBytes(explicitIdBytes).toString('base64url');
    event = { ...event, event_id: `$${letters}:${serverName}` };
  }
  const content = canonicalFor(version, event.content);
  const head = authEventsText(event);
  const { beforeHashes, afterHashes } = tailOf(version, event);
  const { before, after } = endOf(event, event.redacts);
  const hashed = `${head}"content":${content},${beforeHashes}${afterHashes}${before}${after}`;
  const hashText = `"hashes":{"sha256":"${toBase64(hash('sha256', hashed, 'buffer'))}"},`;

  // Signed is the redacted event; of a message nothing of the content remains.
  const redacted = redactContent(version, event.type, event.content);
  const keptContent = redacted === event.content ? content : canonicalFor(version, redacted);
  const keptRedacts = endOf(event, undefined);
  const signable = `${head}"content":${keptContent},${beforeHashes}${hashText}${afterHashes}${keptRedacts.before}${keptRedacts.after}`;
  const signature = key.sign(Buffer.from(signable));
  const signatures = `"signatures":{${JSON.stringify(serverName)}:{${JSON.stringify(key.id)}:"${signature}"}},`;
  const eventId =
    version.eventIdFormat === 'explicit' ? event.event_id! : eventIdFromText(version, signable);
  const envelope = `${head}${beforeHashes}${hashText}${afterHashes}${before}${signatures}${after}`;
  const pdu: Pdu = {
    ...event,
    hashes: { sha256: hashText.slice(20, -3) },
    signatures: { [serverName]: { [key.id]: signature } },
  };
  return { eventId, pdu, content, envelope, contentAt: head.length };
}

/** A PDU in its stored form; `unsigned` is left out. */
export function splitPdu(version: RoomVersion, pdu: Pdu): SplitPdu {
  const { content, unsigned: _unsigned, ...rest } = pdu;
  const envelope = canonicalFor(version, rest);
  // Only `auth_events` can sort before `content` among the members that events have; others are
  // rare and make the offset depend on them.
  const before = Object.fromEntries(Object.entries(rest).filter(([name]) => name < 'content'));
  const prefix = canonicalFor(version, before);
  const contentAt = prefix === '{}' ? 1 : prefix.length;
  return { content: canonicalFor(version, content), envelope, contentAt };
}

/** The whole PDU as canonical JSON text. */
export function joinPdu(envelope: string, contentAt: number, content: string): string {
  return `${envelope.slice(0, contentAt)}"content":${content},${envelope.slice(contentAt)}`;
}
