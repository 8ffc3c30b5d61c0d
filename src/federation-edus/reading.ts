import { isUserId, serverNameOf } from '../matrix/ids.ts';
import type { JsonObject, JsonValue } from '../matrix/pdu.ts';

/** Takes in an ephemeral data unit; rejects when it could not be kept, not for what is wrong with it. */
export type EduHandler = (origin: string, content: JsonObject) => Promise<void>;

/** Null: it is no object. */
export function objectIn(value: JsonValue | undefined): JsonObject | null {
  const isOne = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isOne ? value : null;
}

/** Null: it is no text, too long, or has NUL, for which the database has no place. */
export function textIn(value: JsonValue | undefined, lengthMax: number): string | null {
  const isOne = typeof value === 'string' && value.length <= lengthMax && !value.includes('\0');
  return isOne ? value : null;
}

/** The id of a user of the server; null: it is none. */
export function ownUserIn(value: JsonValue | undefined, origin: string): string | null {
  const isOne = typeof value === 'string' && isUserId(value) && serverNameOf(value) === origin;
  return isOne ? value : null;
}

/** A number of milliseconds; null: it is none. */
export function timeIn(value: JsonValue | undefined): number | null {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null;
}
