import { authIdsOf, type EventSource, type StateMap } from './types.ts';

/** Everything that can be reached over auth_events from the events, themselves not included. */
export function authChain(ids: Iterable<string>, events: EventSource): Set<string> {
  const chain = new Set<string>();
  const waiting = [...ids];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const pdu = events.get(id);
    if (!pdu) continue;
    for (const next of authIdsOf(pdu)) {
      if (chain.has(next)) continue;
      chain.add(next);
      waiting.push(next);
    }
  }
  return chain;
}

/**
 * Events that are in the full auth chain of some of the states but not of all. Entries that all
 * states share have the same chains, so only the others are walked; what those reach through the
 * shared part is subtracted.
 */
export function authDifference(
  states: readonly StateMap[],
  unconflicted: StateMap,
  events: EventSource,
): Set<string> {
  const shared = authChain(unconflicted.values(), events);
  const chains = states.map((state) => {
    const own = [...state].filter(([key]) => !unconflicted.has(key)).map(([, id]) => id);
    return authChain(own, events);
  });
  const difference = new Set<string>();
  for (const chain of chains) {
    for (const id of chain) {
      if (shared.has(id) || chains.every((other) => other.has(id))) continue;
      difference.add(id);
    }
  }
  return difference;
}

/**
 * The conflicted state subgraph (room version 12): everything on a path over auth_events from one
 * conflicted event to another, ends included.
 */
export function conflictedSubgraph(
  conflicted: ReadonlySet<string>,
  events: EventSource,
): Set<string> {
  const leads = new Map<string, boolean>();
  /** Whether a conflicted event can be reached from here, or is here. Iterative: chains are deep. */
  const visit = (root: string): void => {
    const stack: { id: string; next: string[] }[] = [];
    const enter = (id: string) => {
      if (leads.has(id)) return;
      leads.set(id, conflicted.has(id));
      const pdu = events.get(id);
      stack.push({ id, next: pdu ? authIdsOf(pdu) : [] });
    };
    enter(root);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const child = top.next.at(-1);
      if (child === undefined) {
        stack.pop();
        const parent = stack.at(-1);
        if (parent && leads.get(top.id)) leads.set(parent.id, true);
      } else if (leads.has(child)) {
        top.next.pop();
        if (leads.get(child)) leads.set(top.id, true);
      } else enter(child);
    }
  };
  for (const id of conflicted) visit(id);
  const reachable = authChain(conflicted, events);
  const subgraph = new Set(conflicted);
  for (const id of reachable) if (leads.get(id)) subgraph.add(id);
  return subgraph;
}
