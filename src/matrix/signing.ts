import { randomBytes } from 'node:crypto';
import sodium from 'sodium-native';
import { fromBase64, toBase64 } from './base64.ts';
import { canonicalJsonLenient } from './canonical-json.ts';
import type { JsonObject } from './pdu.ts';

/** An ed25519 key pair of a server. */
export interface SigningKey {
  /** `ed25519:` and a version. */
  readonly id: string;
  /** Unpadded base64. */
  readonly publicKey: string;
  /** Signs bytes, or the UTF-8 of a text; unpadded base64. */
  sign(message: Uint8Array | string): string;
}

function keyOf(version: string, seed: Buffer): SigningKey {
  const publicKey = Buffer.alloc(sodium.crypto_sign_PUBLICKEYBYTES);
  const secretKey = sodium.sodium_malloc(sodium.crypto_sign_SECRETKEYBYTES);
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed);
  const signature = Buffer.alloc(sodium.crypto_sign_BYTES);
  return {
    id: `ed25519:${version}`,
    publicKey: toBase64(publicKey),
    sign(message) {
      const bytes = typeof message === 'string' ? Buffer.from(message) : message;
      sodium.crypto_sign_detached(signature, bytes, secretKey);
      return toBase64(signature);
    },
  };
}

const seedBytes = 32;

/** A line of a key file, as Synapse writes them: `ed25519 a_abcd <unpadded base64 seed>`. */
export function generateSigningKeyLine(version: string): string {
  return `ed25519 ${version} ${toBase64(randomBytes(seedBytes))}`;
}

/** Reads the first key of a key file. Throws Error that says what is wrong. */
export function parseSigningKey(text: string): SigningKey {
  const line = text
    .split('\n')
    .map((part) => part.trim())
    .find((part) => part !== '' && !part.startsWith('#'));
  const [algorithm, version, encoded] = line?.split(/\s+/) ?? [];
  if (algorithm !== 'ed25519' || !version || !encoded) {
    throw new Error('a signing key is one line: ed25519 <version> <base64 seed>');
  }
  const seed = fromBase64(encoded);
  if (seed?.length !== seedBytes) throw new Error('the seed of a signing key has 32 bytes');
  return keyOf(version, seed);
}

/** The JSON of an object as it is signed: without signatures and unsigned. */
export function signableBytes(object: JsonObject): Buffer {
  const { signatures: _signatures, unsigned: _unsigned, ...rest } = object;
  return Buffer.from(canonicalJsonLenient(rest));
}

/** Adds a signature to an object (appendices, "Signing JSON"). */
export function signJson<T extends JsonObject>(object: T, entity: string, key: SigningKey): T {
  const before = (object['signatures'] ?? {}) as Record<string, Record<string, string>>;
  const signature = key.sign(signableBytes(object));
  const own = { ...before[entity], [key.id]: signature };
  return { ...object, signatures: { ...before, [entity]: own } };
}

/** Whether a signature in base64 is the key's on the bytes. */
export function verifyBytes(message: Uint8Array, signature: string, publicKey: string): boolean {
  const signatureBytes = fromBase64(signature);
  const keyBytes = fromBase64(publicKey);
  if (signatureBytes?.length !== sodium.crypto_sign_BYTES) return false;
  if (keyBytes?.length !== sodium.crypto_sign_PUBLICKEYBYTES) return false;
  return sodium.crypto_sign_verify_detached(signatureBytes, message, keyBytes);
}

/** Whether an object carries this entity's signature by the key. */
export function verifySignedJson(
  object: JsonObject,
  entity: string,
  key: { id: string; publicKey: string },
): boolean {
  const signatures = object['signatures'] as Record<string, Record<string, unknown>> | undefined;
  const signature = signatures?.[entity]?.[key.id];
  if (typeof signature !== 'string') return false;
  return verifyBytes(signableBytes(object), signature, key.publicKey);
}
