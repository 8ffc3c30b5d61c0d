import { hash } from 'node:crypto';
import { toBase64, toUrlSafeBase64 } from './base64.ts';
import { NotCanonical } from './canonical-json.ts';
import { fitsIdBytes, idBytesMax, isEventId, isRoomId, isUserId } from './ids.ts';
import { isJsonObject, type JsonObject, type Pdu } from './pdu.ts';
import { keptMembers, PduText } from './pdu-text.ts';
import { redactContent } from './redaction.ts';
import type { RoomVersion } from './room-versions.ts';

/** Largest event as canonical JSON, in bytes (client-server spec, "Size limits"). */
export const eventBytesMax = 65_536;

/** Removes what a redaction removes. Source: "Redactions" of each room version. */
export function redactPdu(version: RoomVersion, pdu: Pdu): Pdu {
  const source = pdu as unknown as JsonObject;
  const kept: JsonObject = {};
  for (const key of keptMembers(version)) if (source[key] !== undefined) kept[key] = source[key];
  kept['content'] = redactContent(version, pdu.type, pdu.content);
  return kept as unknown as Pdu;
}

const sha256 = (text: string | Uint8Array) => hash('sha256', text, 'buffer');

/** Unpadded base64 hash of the whole event (server-server spec, "Calculating the content hash"). */
export function contentHash(version: RoomVersion, pdu: Pdu): string {
  return contentHashFromText(new PduText(version, pdu).hashed());
}

/** The content hash that follows from `PduText.hashed`. */
export const contentHashFromText = (text: string): string => toBase64(sha256(text));

/** The JSON that is signed and of which the reference hash is taken: the redacted event. */
export function signableText(version: RoomVersion, pdu: Pdu): string {
  return new PduText(version, pdu).signable();
}

/** The event id that follows from the text of `signableText`, or from its UTF-8. */
export function eventIdFromText(version: RoomVersion, text: string | Uint8Array): string {
  const bytes = sha256(text);
  return `$${version.eventIdFormat === 'base64' ? toBase64(bytes) : toUrlSafeBase64(bytes)}`;
}

/** Unpadded base64 (server-server spec, "Calculating the reference hash for an event"). */
export function referenceHash(version: RoomVersion, pdu: Pdu): string {
  return toBase64(sha256(signableText(version, pdu)));
}

/** The event's id: its own in versions 1 and 2, else from its reference hash. */
export function eventIdOf(version: RoomVersion, pdu: Pdu): string {
  if (version.eventIdFormat === 'explicit') return pdu.event_id!;
  return eventIdFromText(version, signableText(version, pdu));
}

/** The room of an event: from version 12 on a create event's own hash. */
export function roomIdOf(version: RoomVersion, pdu: Pdu): string {
  if (pdu.room_id !== undefined || !version.roomIdIsCreateHash) return pdu.room_id!;
  return `!${eventIdOf(version, pdu).slice(1)}`;
}

const referencesMax = { prev_events: 20, auth_events: 10 } as const;

const isExplicitId = (id: unknown) => typeof id === 'string' && isEventId(id);

function referenceFault(version: RoomVersion, value: unknown, name: keyof typeof referencesMax) {
  if (!Array.isArray(value)) return `${name} is no list`;
  if (value.length > referencesMax[name]) return `${name} has more than ${referencesMax[name]}`;
  const isReference = (entry: unknown) =>
    version.eventIdFormat === 'explicit'
      ? Array.isArray(entry) && isExplicitId(entry[0])
      : typeof entry === 'string' && isEventId(entry);
  return value.every(isReference) ? null : `${name} has something that is no reference`;
}

/** Code points beyond U+FFFF are two units of a string. */
const fitsCodePoints = (text: string) =>
  text.length <= idBytesMax ||
  (text.length <= 2 * idBytesMax && Array.from(text).length <= idBytesMax);

/** Within the length of ids, and without NUL, which PostgreSQL's text cannot hold. */
const isStorable = (version: RoomVersion, text: string) =>
  (version.limitsInBytes ? fitsIdBytes(text) : fitsCodePoints(text)) && !text.includes('\0');

function fieldFault(version: RoomVersion, pdu: JsonObject): string | null {
  const { type, sender, state_key: stateKey, room_id: roomId, depth, content } = pdu;
  if (typeof type !== 'string' || !isStorable(version, type)) return 'bad type';
  if (typeof sender !== 'string' || !isUserId(sender)) return 'bad sender';
  if (stateKey !== undefined && (typeof stateKey !== 'string' || !isStorable(version, stateKey))) {
    return 'bad state_key';
  }
  const isHashedCreate = version.roomIdIsCreateHash && type === 'm.room.create';
  if (isHashedCreate ? roomId !== undefined : typeof roomId !== 'string' || !isRoomId(roomId)) {
    return 'bad room_id';
  }
  if (!Number.isSafeInteger(depth) || (depth as number) < 0) return 'bad depth';
  if (!Number.isSafeInteger(pdu['origin_server_ts'])) return 'bad origin_server_ts';
  if (!isJsonObject(content)) return 'content is no object';
  if (!isJsonObject(pdu['hashes']) || !isJsonObject(pdu['signatures']))
    return 'no hashes or signatures';
  if (version.eventIdFormat === 'explicit' && !isExplicitId(pdu['event_id'])) {
    return 'bad event_id';
  }
  return null;
}

/**
 * Reads an event of another server; what is wrong with its format is given as text. Source:
 * server-server spec, "Checks performed on receipt of a PDU", 1.
 */
export function readPdu(version: RoomVersion, pdu: unknown): PduText | string {
  if (!isJsonObject(pdu)) return 'not an object';
  const fault =
    fieldFault(version, pdu) ??
    referenceFault(version, pdu['prev_events'], 'prev_events') ??
    referenceFault(version, pdu['auth_events'], 'auth_events');
  if (fault !== null) return fault;
  try {
    const text = new PduText(version, pdu as unknown as Pdu);
    const bytes = text.bytes();
    return bytes > eventBytesMax ? `${bytes} bytes, more than ${eventBytesMax}` : text;
  } catch (error) {
    if (error instanceof NotCanonical) return error.message;
    throw error;
  }
}

/** What is wrong with the format of an event of another server; null when nothing is. */
export function checkPduFormat(version: RoomVersion, pdu: unknown): string | null {
  const read = readPdu(version, pdu);
  return typeof read === 'string' ? read : null;
}
