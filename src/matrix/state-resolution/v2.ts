import type { Pdu } from '../pdu.ts';
import type { RoomVersion } from '../room-versions.ts';
import { authChain, authDifference, conflictedSubgraph } from './auth-chain.ts';
import { applyAllowed } from './iterative-auth.ts';
import { mainlineOrdering, powerOrdering } from './orderings.ts';
import { conflictsOf, keyOf, type EventSource, type StateMap } from './types.ts';

/** Might take away somebody's ability to do something in the room. */
function isPowerEvent(pdu: Pdu): boolean {
  if (pdu.state_key === undefined) return false;
  if (pdu.type === 'm.room.power_levels' || pdu.type === 'm.room.join_rules') return true;
  const { membership } = pdu.content;
  return (
    pdu.type === 'm.room.member' &&
    (membership === 'leave' || membership === 'ban') &&
    pdu.sender !== pdu.state_key
  );
}

/**
 * Resolution of room versions 2 to 11, and with `stateResolution` v2.1 that of 12 (MSC4297), which
 * starts from nothing and looks at what lies between conflicted events too. Source: "Room Version
 * 2" and "Room Version 12", "State resolution".
 */
export function resolveV2(
  version: RoomVersion,
  states: readonly StateMap[],
  events: EventSource,
): Map<string, string> {
  const { unconflicted, conflicted } = conflictsOf(states);
  if (conflicted.size === 0) return unconflicted;
  const isV21 = version.stateResolution === 'v2.1';
  const createId = unconflicted.get(keyOf('m.room.create', ''));
  const conflictedIds = new Set([...conflicted.values()].flatMap((ids) => [...ids]));
  const full = new Set([...conflictedIds, ...authDifference(states, unconflicted, events)]);
  if (isV21) for (const id of conflictedSubgraph(conflictedIds, events)) full.add(id);
  for (const id of full) if (!events.get(id)) full.delete(id);

  const power = new Set<string>();
  for (const id of full) {
    if (!isPowerEvent(events.get(id)!)) continue;
    power.add(id);
    for (const other of authChain([id], events)) if (full.has(other)) power.add(other);
  }
  const resolved = isV21 ? new Map<string, string>() : new Map(unconflicted);
  const powerOrder = powerOrdering(version, power, events, createId);
  applyAllowed(version, powerOrder, resolved, events, createId);

  const rest = [...full].filter((id) => !power.has(id));
  const levels = resolved.get(keyOf('m.room.power_levels', ''));
  applyAllowed(version, mainlineOrdering(rest, levels, events), resolved, events, createId);
  for (const [key, id] of unconflicted) resolved.set(key, id);
  return resolved;
}
