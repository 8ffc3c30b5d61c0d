import { randomBytes } from 'node:crypto';

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** The largest multiple of 52 in a byte: above it a byte would favour the first letters. */
const unbiased = 208;

/** Random ASCII letters from the system's secure source. */
export function randomLetters(count: number): string {
  let text = '';
  while (text.length < count) {
    for (const byte of randomBytes(count * 2)) {
      if (byte < unbiased && text.length < count) text += letters[byte % 52];
    }
  }
  return text;
}
