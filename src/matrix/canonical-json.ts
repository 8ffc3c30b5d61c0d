import type { JsonValue } from './pdu.ts';

/** A value that has no canonical JSON: a fraction, a number out of range, or no JSON at all. */
export class NotCanonical extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotCanonical';
  }
}

/** Whether a number may be in canonical JSON: an integer within ±(2^53 − 1). */
export const isCanonicalNumber = (value: number) => Number.isSafeInteger(value);

// Sorting UTF-16 code units differs from code points only where surrogates meet U+E000–U+FFFF.
const hasHighUnits = /[\uD800-\uFFFF]/;

function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function sortedKeys(object: object): string[] {
  const keys = Object.keys(object);
  if (keys.length < 2) return keys;
  return keys.some((key) => hasHighUnits.test(key)) ? keys.sort(compareCodePoints) : keys.sort();
}

function write(value: JsonValue, isStrict: boolean): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      if (isStrict && !isCanonicalNumber(value)) {
        throw new NotCanonical(`${value} is not an integer within ±(2^53 − 1)`);
      }
      // −0 is written as 0.
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) return writeArray(value, isStrict);
      return writeObject(value, isStrict);
    default:
      throw new NotCanonical(`${typeof value} is not JSON`);
  }
}

function writeArray(values: readonly JsonValue[], isStrict: boolean): string {
  let text = '[';
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ',';
    text += write(values[i]!, isStrict);
  }
  return `${text}]`;
}

function writeObject(object: { [key: string]: JsonValue }, isStrict: boolean): string {
  let text = '{';
  for (const key of sortedKeys(object)) {
    const value = object[key];
    if (value === undefined) continue;
    if (text.length > 1) text += ',';
    text += `${JSON.stringify(key)}:${write(value, isStrict)}`;
  }
  return `${text}}`;
}

/**
 * Canonical JSON text: no white space, keys sorted by code point, integers only. Throws
 * NotCanonical. Source: appendices, "Canonical JSON".
 */
export function canonicalJson(value: JsonValue): string {
  return write(value, true);
}

/** The same for room versions before 6, which let any number pass. */
export function canonicalJsonLenient(value: JsonValue): string {
  return write(value, false);
}
