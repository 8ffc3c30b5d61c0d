import { inGroups } from '../kernel/in-groups.ts';
import { inAuthOrder } from '../matrix/auth-order.ts';
import type { BuiltEvent } from '../matrix/event-builder.ts';
import { referencedIds, type JsonValue } from '../matrix/pdu.ts';
import {
  checkHistoric,
  refusal,
  refusalByAuthEvents,
  type FindServerKey,
} from '../matrix/received-pdu.ts';
import type { RoomVersion } from '../matrix/room-versions.ts';
import { keyOf } from '../matrix/state-resolution/types.ts';

/** A room as a server gives it with the answer to a join. */
export interface GivenRoom {
  roomId: string;
  version: RoomVersion;
  state: readonly JsonValue[];
  authChain: readonly JsonValue[];
}

export interface CheckedRoom {
  state: BuiltEvent[];
  authChain: BuiltEvent[];
}

/** Signatures that are checked before others get their turn. */
const checkedAtOnce = 50;

/** What remains of events when those are left out that the rules do not let in. */
function authorised(version: RoomVersion, events: ReadonlyMap<string, BuiltEvent>) {
  const kept = new Map<string, BuiltEvent>();
  const creates = [...events.values()].filter(({ pdu }) => pdu.type === 'm.room.create');
  const [create] = creates;
  if (!create || creates.length > 1) return kept;
  for (const event of inAuthOrder(events)) {
    const { pdu, eventId } = event;
    const named = referencedIds(pdu.auth_events).map((id) => kept.get(id));
    if (named.includes(undefined)) continue;
    const authEvents = named.map((each) => ({ ...each!, isRejected: false }));
    const isCreate = event === create;
    const wrong = isCreate
      ? refusal(version, pdu, { get: () => undefined })
      : refusalByAuthEvents(version, pdu, authEvents, { ...create, isRejected: false });
    if (wrong === null) kept.set(eventId, event);
  }
  return kept;
}

/**
 * Checks the events of a room that another server gives: format, signatures, hashes, and that each is
 * allowed by those that it names. What fails is left out. Null: there is no room without it, or it
 * does not let the join in. Source: server-server spec, "Joining Rooms", "Checks performed on receipt of a PDU".
 */
export async function checkRoom(
  { roomId, version, state, authChain }: GivenRoom,
  join: BuiltEvent,
  findKey: FindServerKey,
): Promise<CheckedRoom | null> {
  const check = async (given: JsonValue): Promise<BuiltEvent | null> => {
    const checked = await checkHistoric(version, roomId, given, findKey);
    return typeof checked === 'string' ? null : checked;
  };
  const all = new Map<string, BuiltEvent>();
  const inState: string[] = [];
  const checkedState = await inGroups(state, checkedAtOnce, check);
  for (const event of await inGroups(authChain, checkedAtOnce, check)) {
    if (event) all.set(event.eventId, event);
  }
  for (const event of checkedState) {
    if (!event || event.pdu.state_key === undefined) continue;
    all.set(event.eventId, event);
    inState.push(event.eventId);
  }
  const kept = authorised(version, all);
  const byKey = new Map<string, BuiltEvent>();
  for (const id of inState) {
    const event = kept.get(id);
    if (!event) continue;
    const key = keyOf(event.pdu.type, event.pdu.state_key!);
    if (byKey.has(key)) return null;
    byKey.set(key, event);
  }
  if (!byKey.has(keyOf('m.room.create', ''))) return null;
  const authState = { get: (type: string, key: string) => byKey.get(keyOf(type, key)) };
  if (refusal(version, join.pdu, authState) !== null) return null;
  const ids = new Set([...byKey.values()].map(({ eventId }) => eventId));
  return {
    state: [...byKey.values()],
    authChain: [...kept.values()].filter(({ eventId }) => !ids.has(eventId)),
  };
}
