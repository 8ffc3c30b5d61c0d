import type { JoinedRooms } from '../../rooms/module.ts';

/**
 * How long the first change of presence waits for others, milliseconds. Everybody in a large room is
 * woken by each: on a busy server that would be most of what it does.
 */
const gatherMs = 1_000;

export interface PresenceWakes {
  /** The user's presence has changed: those who see it are woken soon. */
  changed(userNid: number): void;
}

/** Wakes who may see changes of presence, once for all changes of a while. */
export function createPresenceWakes(
  joinedRooms: Pick<JoinedRooms, 'ofAny'>,
  wakeRooms: (roomNids: ReadonlySet<number>) => void,
): PresenceWakes {
  let changed = new Set<number>();

  async function tell(): Promise<void> {
    const told = [...changed];
    changed = new Set();
    // Without an answer they see it with whatever wakes them next.
    const rooms = await Promise.resolve(joinedRooms.ofAny(told)).catch(() => new Set<number>());
    wakeRooms(rooms);
  }

  return {
    changed(userNid) {
      if (changed.size === 0) setTimeout(() => void tell(), gatherMs).unref();
      changed.add(userNid);
    },
  };
}
