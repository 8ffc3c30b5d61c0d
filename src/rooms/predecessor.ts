import type { JsonObject } from '../matrix/pdu.ts';

/** The room that a room replaces, by the content of its create event. */
export function predecessorIn(create: JsonObject | undefined): string | null {
  const predecessor = create?.['predecessor'];
  if (typeof predecessor !== 'object' || predecessor === null || Array.isArray(predecessor)) {
    return null;
  }
  return typeof predecessor['room_id'] === 'string' ? predecessor['room_id'] : null;
}
