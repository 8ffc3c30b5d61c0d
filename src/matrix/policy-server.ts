import { withSignature, type BuiltEvent } from './event-builder.ts';
import { signableText } from './event-format.ts';
import type { JsonObject, Pdu } from './pdu.ts';
import type { RoomVersion } from './room-versions.ts';
import { verifyBytes } from './signing.ts';

/** The policy server that a room names in `m.room.policy`. */
export interface RoomPolicy {
  /** Server name. */
  via: string;
  /** Ed25519, unpadded base64. */
  publicKey: string;
}

/** The only key of policy servers that there is (server-server spec, "Policy Servers"). */
const keyId = 'ed25519:policy_server';

/** What the content of `m.room.policy` says; null: it is not valid, or says that there is none. */
export function policyIn(content: JsonObject): RoomPolicy | null {
  const { via, public_keys: keys } = content;
  if (typeof via !== 'string' || typeof keys !== 'object' || keys === null) return null;
  const publicKey = Array.isArray(keys) ? undefined : keys['ed25519'];
  return typeof publicKey === 'string' ? { via, publicKey } : null;
}

/** Whether an event says which policy server there is: such events are not checked by any. */
export const isPolicyState = ({ type, state_key: key }: Pick<Pdu, 'type' | 'state_key'>): boolean =>
  type === 'm.room.policy' && key === '';

/** Whether the policy server has recommended the event ("Validating Policy Server signatures"). */
export function isSignedByPolicyServer(
  version: RoomVersion,
  pdu: Pdu,
  { via, publicKey }: RoomPolicy,
): boolean {
  const signature: unknown = pdu.signatures[via]?.[keyId];
  if (typeof signature !== 'string') return false;
  return verifyBytes(Buffer.from(signableText(version, pdu)), signature, publicKey);
}

/** The signature in an answer of `POST /_matrix/policy/v1/sign`; null: there is none. */
export function policySignatureIn(answer: JsonObject, { via }: RoomPolicy): string | null {
  const own = answer[via];
  if (typeof own !== 'object' || own === null || Array.isArray(own)) return null;
  const signature = own[keyId];
  return typeof signature === 'string' ? signature : null;
}

/** The event with the policy server's signature beside those that it has. Throws EventTooLarge. */
export const withPolicySignature = (
  version: RoomVersion,
  event: BuiltEvent,
  { via }: RoomPolicy,
  signature: string,
): BuiltEvent => withSignature(version, event, { entity: via, keyId, signature });
