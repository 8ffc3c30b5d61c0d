import { referencedIds, type IdentifiedPdu } from './pdu.ts';

/** Events by id, those that others stand on first. */
export function inAuthOrder<E extends IdentifiedPdu>(events: ReadonlyMap<string, E>): E[] {
  const ordered: E[] = [];
  const state = new Map<string, 'under_way' | 'done'>();
  for (const root of events.keys()) {
    const stack = [root];
    while (stack.length > 0) {
      const id = stack.at(-1)!;
      const event = events.get(id)!;
      if (state.get(id) === undefined) {
        state.set(id, 'under_way');
        for (const authId of referencedIds(event.pdu.auth_events)) {
          if (events.has(authId) && !state.has(authId)) stack.push(authId);
        }
        continue;
      }
      stack.pop();
      if (state.get(id) === 'done') continue;
      state.set(id, 'done');
      ordered.push(event);
    }
  }
  return ordered;
}
