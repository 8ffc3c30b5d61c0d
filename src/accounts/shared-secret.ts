import { createHmac, timingSafeEqual } from 'node:crypto';
import { randomLetters } from '../kernel/random.ts';

/** How long a nonce is good. */
const nonceMs = 60_000;
const nonceLetters = 32;

function isSame(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const signatureOf = (secret: string, text: string) =>
  createHmac('sha256', secret).update(`nonce\0${text}`).digest('hex');

/**
 * A nonce for registration by the shared secret. It is signed, so that every process knows it for
 * the server's own. Used twice it does no harm: the name that was signed with it is taken then.
 */
export function newNonce(secret: string, now: number): string {
  const text = `${now.toString(36)}-${randomLetters(nonceLetters)}`;
  return `${text}-${signatureOf(secret, text)}`;
}

export function isNonceGood(secret: string, nonce: string, now: number): boolean {
  const [time = '', random = '', signature = ''] = nonce.split('-');
  if (!isSame(signatureOf(secret, `${time}-${random}`), signature)) return false;
  const ageMs = now - Number.parseInt(time, 36);
  return ageMs >= -nonceMs && ageMs <= nonceMs;
}

/** Whether the request was signed by somebody who knows the secret, as Synapse's tools do. */
export function isMacRight(secret: string, parts: readonly string[], mac: string): boolean {
  return isSame(createHmac('sha1', secret).update(parts.join('\0')).digest('hex'), mac);
}
