import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const nonceBytes = 24;

/** What the called process asks of the calling one: to show that it knows the secret. */
export const newNonce = (): string => randomBytes(nonceBytes).toString('base64');

export const proofOf = (secret: string, nonce: string): string =>
  createHmac('sha256', secret).update(nonce).digest('base64');

/** Whether a proof is right; takes the same time either way. */
export function isProof(secret: string, nonce: string, proof: unknown): boolean {
  if (typeof proof !== 'string') return false;
  const right = Buffer.from(proofOf(secret, nonce));
  const given = Buffer.from(proof);
  return right.length === given.length && timingSafeEqual(right, given);
}
