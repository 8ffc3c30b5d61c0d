import { listOf } from '../federation-client/answers.ts';
import type { JsonObject, JsonValue } from '../matrix/pdu.ts';

/** Stripped state as clients are shown it; of whole events, which servers give, what belongs there. */
export function strippedIn(given: JsonValue | undefined): JsonObject[] {
  return listOf(given).flatMap((entry) => {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return [];
    const { type, state_key: stateKey, sender, content } = entry;
    const isWhole =
      typeof type === 'string' &&
      typeof stateKey === 'string' &&
      typeof sender === 'string' &&
      typeof content === 'object' &&
      content !== null;
    return isWhole ? [{ type, state_key: stateKey, sender, content }] : [];
  });
}
