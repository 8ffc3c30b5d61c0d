import { MatrixError } from '../kernel/errors.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { verifySignedJson } from '../matrix/signing.ts';
import { canonicalText } from './signed-objects.ts';
import {
  crossSigningUsages,
  type CrossSigningKey,
  type CrossSigningUsage,
  type UserKeys,
} from './user-keys.ts';

/** A cross-signing key to be stored. */
export interface NewCrossSigningKey {
  usage: CrossSigningUsage;
  /** Unpadded base64. */
  publicKey: string;
  /** Canonical JSON text. */
  json: string;
}

/** Longer ones are no ed25519 keys. */
const publicKeyLengthMax = 64;

function publicKeyOf(userId: string, usage: CrossSigningUsage, key: JsonObject): string {
  const refuse = (message: string) => new MatrixError('M_INVALID_PARAM', `${usage}_key ${message}`);
  if (key['user_id'] !== userId) throw refuse('is for another user');
  if (!(key['usage'] as string[]).includes(usage)) throw refuse(`does not have usage ${usage}`);
  const keys = Object.entries(key['keys'] as Record<string, string>);
  const [id, publicKey] = keys[0] ?? [];
  if (keys.length !== 1 || id === undefined) throw refuse('must have exactly one key');
  const isFit = id === `ed25519:${publicKey}` && publicKey!.length <= publicKeyLengthMax;
  if (!isFit) throw refuse('must have an ed25519 key whose id is the key itself');
  return publicKey!;
}

/**
 * Checks the keys of a user that are being uploaded, by usage. Throws M_INVALID_PARAM,
 * M_MISSING_PARAM or M_INVALID_SIGNATURE.
 */
export function checkCrossSigningKeys(
  userId: string,
  given: Partial<Record<CrossSigningUsage, JsonObject>>,
  known: UserKeys,
): NewCrossSigningKey[] {
  const found: NewCrossSigningKey[] = [];
  for (const usage of crossSigningUsages) {
    const key = given[usage];
    if (!key) continue;
    found.push({ usage, publicKey: publicKeyOf(userId, usage, key), json: canonicalText(key) });
  }
  const newMaster = found.find(({ usage }) => usage === 'master');
  const master = newMaster?.publicKey ?? known.crossSigning.master?.publicKey;
  for (const { usage } of found) {
    if (usage === 'master') continue;
    if (master === undefined) throw new MatrixError('M_MISSING_PARAM', 'There is no master key');
    const signer = { id: `ed25519:${master}`, publicKey: master };
    if (!verifySignedJson(given[usage]!, userId, signer)) {
      throw new MatrixError(
        'M_INVALID_SIGNATURE',
        `${usage}_key is not signed by the master key ${master}`,
      );
    }
  }
  return found;
}

/** Whether the user has exactly these keys already. */
export function hasSameKeys(keys: readonly NewCrossSigningKey[], known: UserKeys): boolean {
  return keys.every(({ usage, publicKey }) => known.crossSigning[usage]?.publicKey === publicKey);
}

/** What may sign: an ed25519 key and its id. */
export interface Signer {
  id: string;
  publicKey: string;
}

export const signerOf = (key: CrossSigningKey | undefined): Signer | null =>
  key ? { id: `ed25519:${key.publicKey}`, publicKey: key.publicKey } : null;
