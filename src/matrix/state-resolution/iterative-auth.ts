import { authTypesFor, checkAuthorised, NotAuthorised } from '../auth-rules.ts';
import type { AuthState, IdentifiedPdu } from '../pdu.ts';
import type { RoomVersion } from '../room-versions.ts';
import { authIdsOf, keyOf, type EventSource } from './types.ts';

/** The state an event is checked against: what is resolved so far, else what it names itself. */
function stateFor(
  version: RoomVersion,
  eventId: string,
  resolved: ReadonlyMap<string, string>,
  events: EventSource,
  createId: string | undefined,
): AuthState {
  const pdu = events.get(eventId)!;
  const found = new Map<string, IdentifiedPdu>();
  const add = (id: string | undefined) => {
    const entry = id === undefined ? undefined : events.get(id);
    if (entry) found.set(keyOf(entry.type, entry.state_key ?? ''), { eventId: id!, pdu: entry });
  };
  // From version 12 on no event names the create event; the room id does.
  add(createId);
  for (const id of authIdsOf(pdu)) add(id);
  const keys = [...authTypesFor(version, pdu), ['m.room.create', ''] as const];
  for (const [type, stateKey] of keys) add(resolved.get(keyOf(type, stateKey)));
  return { get: (type, stateKey) => found.get(keyOf(type, stateKey)) };
}

/** Whether the rules let an event in, given what is resolved so far. */
export function isAllowed(
  version: RoomVersion,
  eventId: string,
  resolved: ReadonlyMap<string, string>,
  events: EventSource,
  createId: string | undefined,
): boolean {
  try {
    const state = stateFor(version, eventId, resolved, events, createId);
    checkAuthorised(version, events.get(eventId)!, state);
    return true;
  } catch (error) {
    if (error instanceof NotAuthorised) return false;
    throw error;
  }
}

/** The iterative auth checks algorithm: applies the events that are allowed, in order. */
export function applyAllowed(
  version: RoomVersion,
  eventIds: readonly string[],
  resolved: Map<string, string>,
  events: EventSource,
  createId: string | undefined,
): void {
  for (const eventId of eventIds) {
    if (!isAllowed(version, eventId, resolved, events, createId)) continue;
    const pdu = events.get(eventId)!;
    resolved.set(keyOf(pdu.type, pdu.state_key ?? ''), eventId);
  }
}
