import type { RoomVersion } from '../room-versions.ts';
import { resolveV1 } from './v1.ts';
import { resolveV2 } from './v2.ts';
import type { EventSource, StateMap } from './types.ts';

export { keyOf } from './types.ts';
export type { EventSource, StateMap } from './types.ts';

/**
 * Resolves the states after several events into one, by the algorithm of the room version. `events`
 * has the events of the states and all their auth chains; what it does not have counts as rejected.
 * Synchronous: the caller has loaded what may be needed. One state is its own resolution.
 */
export function resolveState(
  version: RoomVersion,
  states: readonly StateMap[],
  events: EventSource,
): Map<string, string> {
  if (states.length === 0) return new Map();
  if (states.length === 1) return new Map(states[0]);
  return version.stateResolution === 'v1'
    ? resolveV1(version, states, events)
    : resolveV2(version, states, events);
}
