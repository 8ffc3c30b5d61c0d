import { checkAuthorised, authTypesFor, NotAuthorised } from './auth-rules.ts';
import { splitPdu, type BuiltEvent } from './event-builder.ts';
import {
  contentHashFromText,
  eventIdFromText,
  readPdu,
  redactPdu,
  roomIdOf,
} from './event-format.ts';
import { isUserId, serverNameOf } from './ids.ts';
import type { AuthState, Pdu } from './pdu.ts';
import type { PduText } from './pdu-text.ts';
import type { RoomVersion } from './room-versions.ts';
import type { ServerKey } from './server-keys.ts';
import { verifyBytes } from './signing.ts';
import { keyOf } from './state-resolution/types.ts';

/**
 * Finds a server's key; null: not to be had. `validAtTs`: when it should be valid, milliseconds since
 * 1970; what is found may end before.
 */
export type FindServerKey = (
  serverName: string,
  keyId: string,
  validAtTs: number,
) => Promise<ServerKey | null>;

/** Whether an event redeems an invite by address: the auth rules check who has signed that. */
const redeemsInvite = ({ type, content }: Pdu): boolean =>
  type === 'm.room.member' &&
  content['membership'] === 'invite' &&
  content['third_party_invite'] !== undefined;

/**
 * Servers whose signatures an event needs (server-server spec, "Validating hashes and signatures"). An
 * invite by address may be redeemed by another server than the sender's.
 */
function signersOf(version: RoomVersion, pdu: Pdu): Set<string> {
  const signers = new Set(redeemsInvite(pdu) ? [] : [serverNameOf(pdu.sender)]);
  if (version.eventIdFormat === 'explicit') signers.add(serverNameOf(pdu.event_id!));
  const { membership, join_authorised_via_users_server: authoriser } = pdu.content;
  const isRestricted = version.restrictedJoins && pdu.type === 'm.room.member';
  if (isRestricted && membership === 'join' && typeof authoriser === 'string') {
    signers.add(serverNameOf(authoriser));
  }
  return signers;
}

async function isSignedBy(
  version: RoomVersion,
  pdu: Pdu,
  serverName: string,
  message: Buffer,
  findKey: FindServerKey,
): Promise<boolean> {
  const own = Object.entries(pdu.signatures[serverName] ?? {});
  const valid = await Promise.all(
    own.map(async ([keyId, signature]) => {
      if (!keyId.startsWith('ed25519:') || typeof signature !== 'string') return false;
      const validAtTs = version.strictKeyValidity ? pdu.origin_server_ts : 0;
      const key = await findKey(serverName, keyId, validAtTs);
      if (!key) return false;
      if (key.validUntilTs < validAtTs) return false;
      return verifyBytes(message, signature, key.publicKey);
    }),
  );
  return valid.includes(true);
}

/** What is wrong with where an event claims to belong; null: nothing. */
function placeFault(pdu: Pdu): string | null {
  if (pdu.type === 'm.room.create') return 'a create event comes with its room only';
  if (pdu.prev_events.length === 0) return 'it follows no event';
  const isMember = pdu.type === 'm.room.member' && pdu.state_key !== undefined;
  return isMember && !isUserId(pdu.state_key!) ? 'the member is no user' : null;
}

/** An event of another server that is well-formed. */
export interface ReadEvent {
  eventId: string;
  /** Without `unsigned`. */
  pdu: Pdu;
  text: PduText;
  /** What is signed. */
  message: Buffer;
}

/** Reads an event of another server; gives what is wrong with its format, as text. */
export function readEvent(version: RoomVersion, given: unknown): ReadEvent | string {
  const text = readPdu(version, given);
  if (typeof text === 'string') return text;
  const { unsigned: _unsigned, ...pdu } = given as Pdu;
  const message = Buffer.from(text.signable());
  const eventId =
    version.eventIdFormat === 'explicit' ? pdu.event_id! : eventIdFromText(version, message);
  return { eventId, pdu, text, message };
}

/**
 * Checks an event's format, signatures and hash; one whose hash is wrong is redacted. Gives what is
 * wrong, as text, with an event that has to be dropped. Source: server-server spec, "Checks performed
 * on receipt of a PDU", 1 to 3.
 */
export async function checkReceived(
  version: RoomVersion,
  roomId: string,
  given: unknown,
  findKey: FindServerKey,
): Promise<BuiltEvent | string> {
  const read = readEvent(version, given);
  return typeof read === 'string' ? read : checkRead(version, roomId, read, findKey);
}

/** As `checkReceived`, of an event that has been read. */
export async function checkRead(
  version: RoomVersion,
  roomId: string,
  read: ReadEvent,
  findKey: FindServerKey,
): Promise<BuiltEvent | string> {
  return placeFault(read.pdu) ?? checkSigned(version, roomId, read, findKey);
}

/** As `checkReceived`, of an event of a room's past, which its create event is part of. */
export async function checkHistoric(
  version: RoomVersion,
  roomId: string,
  given: unknown,
  findKey: FindServerKey,
): Promise<BuiltEvent | string> {
  const read = readEvent(version, given);
  return typeof read === 'string' ? read : checkSigned(version, roomId, read, findKey);
}

async function checkSigned(
  version: RoomVersion,
  roomId: string,
  { eventId, pdu, text, message }: ReadEvent,
  findKey: FindServerKey,
): Promise<BuiltEvent | string> {
  if (roomIdOf(version, pdu) !== roomId) return 'it is of another room';
  const signers = [...signersOf(version, pdu)];
  const signed = await Promise.all(
    signers.map((name) => isSignedBy(version, pdu, name, message, findKey)),
  );
  const unsigned = signers.filter((_, i) => !signed[i]);
  if (unsigned.length > 0) return `no valid signature of ${unsigned.join(', ')}`;
  if (contentHashFromText(text.hashed()) === pdu.hashes.sha256) {
    return { eventId, pdu, ...text.split() };
  }
  const kept = redactPdu(version, pdu);
  return { eventId, pdu: kept, ...splitPdu(version, kept) };
}

/** Why the rules refuse an event in a state; null: they let it in. */
export function refusal(version: RoomVersion, pdu: Pdu, state: AuthState): string | null {
  try {
    checkAuthorised(version, pdu, state);
    return null;
  } catch (error) {
    if (error instanceof NotAuthorised) return error.message;
    throw error;
  }
}

/** An auth event of an event. */
export interface AuthEvent {
  eventId: string;
  pdu: Pdu;
  isRejected: boolean;
}

/**
 * Why an event is rejected for its auth events: they are not those that it should name, or do not
 * let it in. `create` is the room's create event, which no event of room version 12 names.
 */
export function refusalByAuthEvents(
  version: RoomVersion,
  pdu: Pdu,
  authEvents: readonly AuthEvent[],
  create: AuthEvent | undefined,
): string | null {
  const expected = new Set(authTypesFor(version, pdu).map(([type, key]) => keyOf(type, key)));
  const state = new Map<string, AuthEvent>();
  for (const event of authEvents) {
    const key = keyOf(event.pdu.type, event.pdu.state_key ?? '');
    if (event.isRejected) return `its auth event ${event.eventId} was rejected`;
    if (state.has(key)) return `two auth events of type ${event.pdu.type}`;
    if (event.pdu.state_key === undefined || !expected.has(key)) {
      return `its auth event ${event.eventId} is none that it needs`;
    }
    state.set(key, event);
  }
  if (version.roomIdIsCreateHash && create) state.set(keyOf('m.room.create', ''), create);
  return refusal(version, pdu, { get: (type, key) => state.get(keyOf(type, key)) });
}
