import type { Roles } from '../cluster/role.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Bus } from '../streams/bus.ts';
import { createBoard } from './board.ts';
import type { PresenceConfig } from './config.ts';
import { getPresence } from './endpoints/get-presence.ts';
import type { PresenceSurroundings } from './endpoints/needs.ts';
import { setPresence } from './endpoints/set-presence.ts';
import { createSharedTracker } from './shared-tracker.ts';
import { createTracker, type ActiveUser } from './tracker.ts';
import { presenceEvent, type PresenceEvent } from './presence-event.ts';
import type { Presence, PresenceState } from './streams.ts';

export { defaultPresenceConfig } from './config.ts';
export type { PresenceConfig } from './config.ts';
export { isPresenceState, presenceStream } from './streams.ts';
export type { Presence, PresenceState } from './streams.ts';
export type { PresenceSurroundings } from './endpoints/needs.ts';
export type { ActiveUser } from './tracker.ts';
export { presenceEvent, type PresenceEvent } from './presence-event.ts';

export interface PresenceNeeds extends PresenceSurroundings {
  config: PresenceConfig;
  clock: Clock;
  bus: Bus;
  /** Whether a sync may change the user's presence now, so that nobody floods others. */
  mayChange?: (userId: string) => boolean;
  roles: Roles;
}

export interface PresenceModule {
  endpoints: Endpoint[];
  /** A sync of the device begins; call what is returned when it ends. */
  syncing(user: ActiveUser, setPresence: PresenceState): () => void;
  /** The user has done something that counts as being active. */
  noteActivity(user: ActiveUser): void;
  /**
   * For `/sync`: `m.presence` events of those who share a room with the reader, and the
   * reader, whose presence changed after an ephemeral position (null: everybody who is there), and
   * of `newlySharing` whatever the position. Without a change it asks nobody and costs nothing.
   */
  eventsFor(
    readerNid: number,
    after: number | null,
    newlySharing?: Iterable<number>,
  ): readonly PresenceEvent[] | Promise<readonly PresenceEvent[]>;
  /** How present somebody is who is not offline; null: the user is, as far as is known. */
  presentUser(userNid: number): Presence | null;
  /** What other servers say of their users, who share a room with one of this server's. */
  receive(presences: readonly Omit<Presence, 'isLocal'>[]): Promise<void>;
  stop(): void;
}

const nobody: readonly PresenceEvent[] = [];
const nothing = () => {};

/** Presence, kept in memory. */
export function createPresence(needs: PresenceNeeds): PresenceModule {
  const { config, clock, bus, whoShares, sharesRoom, userNidOf } = needs;
  const board = createBoard(bus);
  const tracker = createTracker(config, clock, bus, board, needs.mayChange);
  const shared = createSharedTracker({ roles: needs.roles, bus, clock, config, board, tracker });
  const isTracked = config.isEnabled && config.isTracked;

  function presentUser(userNid: number): Presence | null {
    const presence = board.get(userNid);
    return !presence || presence.state === 'offline' ? null : tracker.upToDate(presence);
  }

  async function sharing(
    readerNid: number,
    changed: readonly Presence[],
    newlySharing: Iterable<number>,
  ): Promise<PresenceEvent[]> {
    const found = new Map<number, Presence>();
    const candidates = changed.map(({ userNid }) => userNid).filter((nid) => nid !== readerNid);
    const shares =
      candidates.length > 0 ? await whoShares(readerNid, candidates) : new Set<number>();
    for (const presence of changed) {
      const { userNid } = presence;
      if (userNid === readerNid || shares.has(userNid))
        found.set(userNid, tracker.upToDate(presence));
    }
    for (const userNid of newlySharing) {
      const presence = presentUser(userNid);
      if (presence) found.set(userNid, presence);
    }
    const now = clock.now();
    return [...found.values()].map((one) => presenceEvent(one, now));
  }

  return {
    endpoints: bindEndpoints([getPresence, setPresence], {
      clock,
      config,
      board,
      tracker,
      shared,
      sharesRoom,
      userNidOf,
    }),
    syncing: (user, state) => (isTracked ? shared.syncing(user, state) : nothing),
    noteActivity(user) {
      if (isTracked) shared.noteActivity(user);
    },
    eventsFor(readerNid, after, newlySharing) {
      if (!config.isEnabled) return nobody;
      const isUnchanged = after !== null && after >= board.lastPos();
      if (isUnchanged && newlySharing === undefined) return nobody;
      let changed = board.changedAfter(after ?? -1);
      if (after === null && !config.includeOfflineOnInitialSync) {
        changed = changed.filter((presence) => presence.state !== 'offline');
      }
      if (changed.length === 0 && newlySharing === undefined) return nobody;
      return sharing(readerNid, changed, newlySharing ?? []);
    },
    presentUser,
    async receive(presences) {
      if (config.isEnabled) await shared.receive(presences);
    },
    stop() {
      shared.stop();
      tracker.stop();
    },
  };
}
