import { MatrixError } from '../kernel/errors.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { verifySignedJson } from '../matrix/signing.ts';
import { signerOf, type Signer } from './cross-signing.ts';
import { canonicalText } from './signed-objects.ts';
import type { UserKeys } from './user-keys.ts';

/** A signature that has been checked. */
export interface CheckedSignature {
  keyId: string;
  /** Device id, or public key of a master key. */
  targetId: string;
  signature: string;
}

/** What is signed: the object without signatures and what servers add. */
function essence(object: JsonObject): string {
  const { signatures: _signatures, unsigned: _unsigned, ...rest } = object;
  return canonicalText(rest);
}

const notFound = (message: string) => new MatrixError('M_NOT_FOUND', message);
const invalid = (message: string) => new MatrixError('M_INVALID_SIGNATURE', message);

function checkSame(given: JsonObject, stored: JsonObject): void {
  if (essence(given) !== essence(stored)) {
    throw invalid('What is signed is not what this server has');
  }
}

function checked(
  object: JsonObject,
  userId: string,
  signer: Signer,
  targetId: string,
): CheckedSignature {
  if (!verifySignedJson(object, userId, signer)) {
    throw invalid(`There is no valid signature by ${signer.id}`);
  }
  const signatures = object['signatures'] as Record<string, Record<string, string>>;
  return { keyId: signer.id, targetId, signature: signatures[userId]![signer.id]! };
}

/** The device keys of the user by which the object claims to be signed. */
function deviceSigners(object: JsonObject, userId: string, own: UserKeys): Signer[] {
  const signatures = object['signatures'] as Record<string, Record<string, string>> | undefined;
  return Object.keys(signatures?.[userId] ?? {}).flatMap((id) => {
    const device = own.devices.get(id.slice(id.indexOf(':') + 1));
    const publicKey = (device?.keys['keys'] as Record<string, string> | undefined)?.[id];
    return publicKey !== undefined && id.startsWith('ed25519:') ? [{ id, publicKey }] : [];
  });
}

/**
 * Checks signatures of a user on own keys: of the self-signing key on a device, or of devices on
 * the master key. Throws M_NOT_FOUND or M_INVALID_SIGNATURE.
 */
export function checkOwnSignatures(
  userId: string,
  targetId: string,
  object: JsonObject,
  own: UserKeys,
): CheckedSignature[] {
  const { master, self_signing: selfSigning } = own.crossSigning;
  if (master?.publicKey === targetId) {
    checkSame(object, master.key);
    const signers = deviceSigners(object, userId, own);
    if (signers.length === 0) throw invalid('None of the devices has signed the master key');
    return signers.map((signer) => checked(object, userId, signer, targetId));
  }
  const device = own.devices.get(targetId);
  if (!device) throw notFound(`There is no device or master key ${targetId}`);
  const signer = signerOf(selfSigning);
  if (!signer) throw notFound('There is no self-signing key');
  checkSame(object, device.keys);
  return [checked(object, userId, signer, targetId)];
}

/** Checks a user's signature on another user's master key. */
export function checkUserSignature(
  userId: string,
  targetId: string,
  object: JsonObject,
  { own, target }: { own: UserKeys; target: UserKeys | undefined },
): CheckedSignature {
  const signer = signerOf(own.crossSigning.user_signing);
  if (!signer) throw notFound('There is no user-signing key');
  const master = target?.crossSigning.master;
  if (master?.publicKey !== targetId) throw notFound(`The user has no master key ${targetId}`);
  checkSame(object, master.key);
  return checked(object, userId, signer, targetId);
}
