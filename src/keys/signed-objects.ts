import { Type } from 'typebox';
import { MatrixError } from '../kernel/errors.ts';
import { canonicalJsonLenient, NotCanonical } from '../matrix/canonical-json.ts';
import type { JsonObject, JsonValue } from '../matrix/pdu.ts';
import type { OneTimeKey } from './one-time-keys.ts';

const text = Type.String();

export const signaturesSchema = Type.Record(text, Type.Record(text, text));

/**
 * Identity keys of a device (CS 1.19, "Device keys"). All members are required: what is missing is
 * M_BAD_JSON here, see `checkComplete`.
 */
export const deviceKeysSchema = Type.Partial(
  Type.Object({
    user_id: text,
    device_id: text,
    algorithms: Type.Array(text),
    keys: Type.Record(text, text),
    signatures: signaturesSchema,
  }),
);

/** Throws M_BAD_JSON when device keys lack a member. */
export function checkComplete(deviceKeys: object): void {
  for (const name of Object.keys(deviceKeysSchema.properties)) {
    if (!(name in deviceKeys)) throw new MatrixError('M_BAD_JSON', `device_keys lack ${name}`);
  }
}

/** A one-time key: a text, or an object that is signed (CS 1.19, "Key algorithms"). */
export const oneTimeKeysSchema = Type.Record(
  text,
  Type.Union([
    text,
    Type.Object({
      key: text,
      signatures: signaturesSchema,
      fallback: Type.Optional(Type.Boolean()),
    }),
  ]),
);

/** Longer names of keys are refused: they are parts of indexed keys. */
const nameLengthMax = 255;

/** Canonical JSON text. Throws M_BAD_JSON for what has none. */
export function canonicalText(value: unknown): string {
  try {
    return canonicalJsonLenient(value as JsonValue);
  } catch (error) {
    if (!(error instanceof NotCanonical)) throw error;
    throw new MatrixError('M_BAD_JSON', `A key has no canonical JSON: ${error.message}`);
  }
}

/** Reads one-time or fallback keys by `algorithm:id`. Throws M_BAD_JSON or M_INVALID_PARAM. */
export function oneTimeKeysOf(given: Record<string, unknown>): OneTimeKey[] {
  return Object.entries(given).map(([name, value]) => {
    const colon = name.indexOf(':');
    if (colon < 1 || colon === name.length - 1 || name.length > nameLengthMax) {
      throw new MatrixError('M_INVALID_PARAM', `${name} is not of the form <algorithm>:<key id>`);
    }
    if (name.includes('\0')) {
      throw new MatrixError('M_INVALID_PARAM', 'The name of a key contains NUL');
    }
    const algorithm = name.slice(0, colon);
    const keyId = name.slice(colon + 1);
    if (typeof value === 'string') {
      return { algorithm, keyId, body: canonicalText(value), signatures: null };
    }
    const { signatures, ...body } = value as JsonObject;
    return {
      algorithm,
      keyId,
      body: canonicalText(body),
      signatures: JSON.stringify(signatures),
    };
  });
}
