import { referencedIds, type Pdu } from '../pdu.ts';

/** Room state: for each key the id of an event. Keys are made by `keyOf`. */
export type StateMap = ReadonlyMap<string, string>;

/** Accepted events by their id: those of the states to be resolved and all their auth chains. */
export interface EventSource {
  get(eventId: string): Pdu | undefined;
}

/** The key of a state entry. Neither part contains NUL. */
export const keyOf = (type: string, stateKey: string) => `${type}\0${stateKey}`;

/** Ids of an event's auth events, in either format of references. */
export const authIdsOf = (pdu: Pdu): string[] => referencedIds(pdu.auth_events);

/** Entries that all states have, and the events that they differ in. */
export interface Conflicts {
  unconflicted: Map<string, string>;
  conflicted: Map<string, Set<string>>;
}

/** Tells the entries that all states agree on from the others. Agreeing states are not walked twice. */
export function conflictsOf(states: readonly StateMap[]): Conflicts {
  const unconflicted = new Map<string, string>();
  const conflicted = new Map<string, Set<string>>();
  const keys = new Set(states.flatMap((state) => [...state.keys()]));
  for (const key of keys) {
    const first = states[0]!.get(key);
    if (first !== undefined && states.every((state) => state.get(key) === first)) {
      unconflicted.set(key, first);
      continue;
    }
    const ids = new Set<string>();
    for (const state of states) {
      const id = state.get(key);
      if (id !== undefined) ids.add(id);
    }
    conflicted.set(key, ids);
  }
  return { unconflicted, conflicted };
}
