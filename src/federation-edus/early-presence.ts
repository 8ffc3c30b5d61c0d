import { LRUCache } from 'lru-cache';
import type { Clock } from '../kernel/clock.ts';
import type { Presence, PresenceModule } from '../presence/module.ts';
import { eventStream } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';

export type RemotePresence = Omit<Presence, 'userNid' | 'isLocal'>;

/** Users; about 300 bytes each. */
const usersMax = 10_000;
/** How long a server may be ahead of the join of its user, or of a local one. */
const keptMs = 2 * 60_000;

export interface EarlyPresenceNeeds {
  bus: Bus;
  clock: Clock;
  receive: PresenceModule['receive'];
}

/**
 * Presence of users with whom no room is shared yet: servers send it when they see a join, which may be
 * earlier than that is stored here.
 */
export interface EarlyPresence {
  keep(presence: RemotePresence): void;
  forget(userId: string): void;
}

export function createEarlyPresence({ bus, clock, receive }: EarlyPresenceNeeds): EarlyPresence {
  const kept = new LRUCache<string, { presence: RemotePresence; untilMs: number }>({
    max: usersMax,
  });

  bus.subscribe(eventStream, (rows) => {
    if (kept.size === 0) return;
    const come = rows.flatMap(({ row }) => row.memberships).filter(({ to }) => to === 'join');
    const now = clock.now();
    const shown = come.flatMap(({ userId, userNid }) => {
      const early = kept.get(userId);
      kept.delete(userId);
      return early && now <= early.untilMs ? [{ ...early.presence, userNid }] : [];
    });
    // Lost words are said again by their servers.
    if (shown.length > 0) receive(shown).catch(() => undefined);
  });

  return {
    keep: (presence) => void kept.set(presence.userId, { presence, untilMs: clock.now() + keptMs }),
    forget: (userId) => void kept.delete(userId),
  };
}
