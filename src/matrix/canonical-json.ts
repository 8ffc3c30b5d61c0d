import type { JsonValue } from './pdu.ts';

/**
 * A value that has no canonical JSON: a fraction, a number out of range, half of a surrogate pair,
 * or no JSON at all. Room versions from 6 on want M_BAD_JSON for it.
 */
export class NotCanonical extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotCanonical';
  }
}

/** Levels of nesting: more than JSON readers of other servers take, and far from our stack's end. */
const levelsMax = 1000;

/** Whether a number may be in canonical JSON: an integer within ±(2^53 − 1). */
export const isCanonicalNumber = (value: number) => Number.isSafeInteger(value);

// Sorting UTF-16 code units differs from code points only where surrogates meet U+E000–U+FFFF.
const hasHighUnits = /[\uD800-\uFFFF]/;

function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The keys in the order of canonical JSON. */
export function sortedKeys(object: object): string[] {
  const keys = Object.keys(object);
  if (keys.length < 2) return keys;
  return keys.some((key) => hasHighUnits.test(key)) ? keys.sort(compareCodePoints) : keys.sort();
}

function writeString(text: string, isStrict: boolean): string {
  if (isStrict && !text.isWellFormed()) {
    throw new NotCanonical(`${JSON.stringify(text)} has half of a surrogate pair`);
  }
  return JSON.stringify(text);
}

function write(value: JsonValue, isStrict: boolean, level: number): string {
  switch (typeof value) {
    case 'string':
      return writeString(value, isStrict);
    case 'number':
      if (isStrict ? !isCanonicalNumber(value) : !Number.isFinite(value)) {
        throw new NotCanonical(`${value} is not an integer within ±(2^53 − 1)`);
      }
      // −0 is written as 0.
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (level === levelsMax) throw new NotCanonical(`nested more than ${levelsMax} levels deep`);
      if (Array.isArray(value)) return writeArray(value, isStrict, level + 1);
      return writeObject(value, isStrict, level + 1);
    default:
      throw new NotCanonical(`${typeof value} is not JSON`);
  }
}

function writeArray(values: readonly JsonValue[], isStrict: boolean, level: number): string {
  let text = '[';
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ',';
    text += write(values[i]!, isStrict, level);
  }
  return `${text}]`;
}

function writeObject(object: { [key: string]: JsonValue }, isStrict: boolean, level: number) {
  let text = '{';
  for (const key of sortedKeys(object)) {
    const value = object[key];
    if (value === undefined) continue;
    if (text.length > 1) text += ',';
    text += `${writeString(key, isStrict)}:${write(value, isStrict, level)}`;
  }
  return `${text}}`;
}

/**
 * Canonical JSON text: no white space, keys sorted by code point, integers only; members that are
 * undefined are left out. Throws NotCanonical. Source: appendices, "Canonical JSON".
 */
export function canonicalJson(value: JsonValue): string {
  return write(value, true, 0);
}

/**
 * The same for room versions before 6, which let any number pass. Throws NotCanonical for what is
 * no JSON or too deep.
 */
export function canonicalJsonLenient(value: JsonValue): string {
  return write(value, false, 0);
}
