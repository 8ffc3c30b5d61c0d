import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { randomLetters } from '../kernel/random.ts';

/** Access, refresh and log-in tokens, by the prefixes that clients' tools and proxies know. */
export type TokenKind = 'syt' | 'syr' | 'syl';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 20 letters of 52: 114 bits. */
const randomLength = 20;
const checksumLength = 6;

/**
 * A new token: `<kind>_<unpadded base64 of the localpart>_<random>_<checksum>`. A proxy can route by
 * the user in it; a scanner can recognise it by the checksum.
 */
export function createToken(kind: TokenKind, localpart: string): string {
  const user = Buffer.from(localpart).toString('base64').replace(/=+$/, '');
  const body = `${kind}_${user}_${randomLetters(randomLength)}`;
  return `${body}_${checksum(body)}`;
}

function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  while (rest > 0) {
    digits = base62[rest % 62] + digits;
    rest = Math.floor(rest / 62);
  }
  return digits.padStart(checksumLength, '0');
}

/** The form in which tokens are stored. Tokens are random, so a plain hash cannot be searched. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
