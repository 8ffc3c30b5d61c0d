import { hash } from 'node:crypto';
import type { RoomVersion } from '../room-versions.ts';
import { isAllowed } from './iterative-auth.ts';
import { conflictsOf, keyOf, type EventSource, type StateMap } from './types.ts';

interface Candidate {
  id: string;
  depth: number;
  sha1: string;
}

function candidatesOf(ids: Iterable<string>, events: EventSource): Candidate[] {
  return [...ids]
    .filter((id) => events.get(id) !== undefined)
    .map((id) => ({ id, depth: events.get(id)!.depth, sha1: hash('sha1', id) }));
}

const compareText = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** Resolution of room version 1. Source: "Room Version 1", "State resolution". */
export function resolveV1(
  version: RoomVersion,
  states: readonly StateMap[],
  events: EventSource,
): Map<string, string> {
  const { unconflicted: resolved, conflicted } = conflictsOf(states);
  const createId = resolved.get(keyOf('m.room.create', ''));
  const done = new Set<string>();

  /** Goes through the candidates of one key from the lowest depth, as long as they are allowed. */
  function resolveInOrder(key: string, ids: Iterable<string>): void {
    done.add(key);
    const sorted = candidatesOf(ids, events).toSorted(
      (a, b) => a.depth - b.depth || compareText(b.sha1, a.sha1),
    );
    for (const [i, { id }] of sorted.entries()) {
      if (i > 0 && !isAllowed(version, id, resolved, events, createId)) return;
      resolved.set(key, id);
    }
  }

  for (const type of ['m.room.power_levels', 'm.room.join_rules', 'm.room.member']) {
    for (const [key, ids] of [...conflicted].toSorted(([a], [b]) => compareText(a, b))) {
      if (key.startsWith(`${type}\0`)) resolveInOrder(key, ids);
    }
  }
  for (const [key, ids] of conflicted) {
    if (done.has(key)) continue;
    const sorted = candidatesOf(ids, events).toSorted(
      (a, b) => b.depth - a.depth || compareText(a.sha1, b.sha1),
    );
    const chosen = sorted.find(({ id }) => isAllowed(version, id, resolved, events, createId));
    if (chosen) resolved.set(key, chosen.id);
  }
  return resolved;
}
