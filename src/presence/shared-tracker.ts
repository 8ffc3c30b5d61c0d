import { shardOf, type Roles } from '../cluster/role.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Bus } from '../streams/bus.ts';
import type { Board } from './board.ts';
import type { PresenceConfig } from './config.ts';
import { presenceRole } from './role.ts';
import {
  presenceMissedStream,
  presenceStream,
  type Presence,
  type PresenceState,
} from './streams.ts';
import type { ActiveUser, Tracker } from './tracker.ts';

/** How often the holder is told of those who sync elsewhere; more often when they time out soon. */
const tellMsMax = 10_000;
/** Between hearing that something was missed and saying it again: others may have missed it too. */
const repeatMs = 500;
/** How long messages may be missing before it is noticed. */
const unnoticedMs = 5_000;
/** Devices that sync with this process at once; beyond it they are told of when they begin. */
const devicesMax = 200_000;

/** What is told of users, wherever it is decided how present they are. */
export interface SharedTracker {
  set(user: ActiveUser, state: PresenceState, statusMsg: string | null): Promise<void>;
  /** A sync begins; call what is returned when it ends. */
  syncing(user: ActiveUser, state: PresenceState): () => void;
  noteActivity(user: ActiveUser): void;
  /** What other servers say of their users. */
  receive(presences: readonly Omit<Presence, 'isLocal'>[]): Promise<void>;
  stop(): void;
}

interface SyncingDevice {
  user: ActiveUser;
  state: PresenceState;
  syncs: number;
  toldMs: number;
  activeMs: number;
}

export interface SharedTrackerNeeds {
  roles: Roles;
  bus: Bus;
  clock: Clock;
  config: PresenceConfig;
  board: Board;
  tracker: Tracker;
}

const nothing = () => {};

/**
 * The tracker of whoever holds a user's shard. A sync costs a call when a device comes or changes,
 * and then a share of one every few seconds.
 */
export function createSharedTracker(needs: SharedTrackerNeeds): SharedTracker {
  const { roles, bus, clock, config, board, tracker } = needs;
  const isAlone = bus.tag === '';
  const tellMs = Math.min(tellMsMax, Math.ceil(config.syncOnlineMs / 3));
  const devices = new Map<string, SyncingDevice>();
  const shard = (userId: string) => shardOf(presenceRole, userId);

  roles.serve(presenceRole, {
    methods: {
      set: ({ user, state, statusMsg }) => tracker.set(user, state, statusMsg),
      seen({ syncing }) {
        for (const { user, state } of syncing) tracker.seen(user, state);
      },
      noteActivity: ({ user }) => tracker.noteActivity(user),
      receive({ presences }) {
        for (const presence of presences) tracker.receive(presence);
      },
    },
    taken(shards) {
      // Who was there has to show again that they are, or times out.
      for (const presence of board.present()) {
        const { userNid, userId, isLocal, state } = presence;
        if (!shards.includes(shard(userId))) continue;
        if (isLocal) tracker.seen({ userNid, userId, deviceId: null }, state);
        else tracker.receive(presence);
      }
    },
    released: (shards) => tracker.forget((userId) => shards.includes(shard(userId))),
  });

  let missedSinceTs = Infinity;
  let asking: NodeJS.Timeout | null = null;
  let repeatSinceTs = Infinity;
  let repeating: NodeJS.Timeout | null = null;

  /** Asks others to say again what was missed, once messages pass. */
  function askAgain(): void {
    asking = null;
    if (!bus.hearsOthers()) return;
    const row = { sinceTs: missedSinceTs };
    missedSinceTs = Infinity;
    bus.publish([{ stream: presenceMissedStream, pos: bus.nextEphemeral(), row }]);
  }

  /** Says again how present the users of the held shards are who have changed lately. */
  function repeat(): void {
    repeating = null;
    const changed = board.changedAfter(repeatSinceTs);
    repeatSinceTs = Infinity;
    const rows = changed
      .filter(({ isLocal, userId }) => isLocal && roles.holds(presenceRole, userId))
      .map((row) => ({ stream: presenceStream, pos: bus.nextEphemeral(), row }));
    if (rows.length > 0) bus.publish(rows);
  }
  bus.subscribe(presenceMissedStream, (rows) => {
    for (const { row } of rows) repeatSinceTs = Math.min(repeatSinceTs, row.sinceTs);
    repeating ??= setTimeout(repeat, repeatMs).unref();
  });
  bus.onMissed(() => {
    // Ephemeral positions are about milliseconds.
    missedSinceTs = Math.min(missedSinceTs, clock.now() - unnoticedMs);
    asking ??= setTimeout(askAgain, repeatMs).unref();
  });

  /** Lost words are said again in a while. */
  function tell(some: readonly SyncingDevice[]): void {
    for (const device of some) device.toldMs = clock.now();
    for (const group of Map.groupBy(some, ({ user }) => shard(user.userId)).values()) {
      const syncing = group.map(({ user, state }) => ({ user, state }));
      roles.call(presenceRole, group[0]!.user.userId, 'seen', { syncing }).catch(nothing);
    }
  }

  function tick(): void {
    const due: SyncingDevice[] = [];
    for (const [key, device] of devices) {
      if (device.syncs > 0) due.push(device);
      else if (clock.now() - device.toldMs > config.syncOnlineMs) devices.delete(key);
    }
    tell(due);
  }
  const timer = isAlone ? null : setInterval(tick, tellMs).unref();

  function deviceOf(user: ActiveUser): SyncingDevice | undefined {
    return devices.get(`${user.userNid} ${user.deviceId ?? ''}`);
  }

  return {
    set: (user, state, statusMsg) =>
      roles.call(presenceRole, user.userId, 'set', { user, state, statusMsg }),
    syncing({ userNid, userId, deviceId }, state) {
      const user = { userNid, userId, deviceId };
      if (isAlone) return tracker.syncing(user, state);
      if (state === 'offline') return nothing;
      const now = clock.now();
      let device = deviceOf(user);
      if (!device) {
        device = { user, state, syncs: 0, toldMs: 0, activeMs: 0 };
        if (devices.size < devicesMax) devices.set(`${userNid} ${deviceId ?? ''}`, device);
      }
      device.syncs++;
      if (device.state !== state || now - device.toldMs >= tellMs) {
        device.state = state;
        tell([device]);
      }
      let hasEnded = false;
      return () => {
        if (hasEnded) return;
        hasEnded = true;
        device.syncs--;
      };
    },
    noteActivity({ userNid, userId, deviceId }) {
      const user = { userNid, userId, deviceId };
      if (roles.holds(presenceRole, userId)) {
        tracker.noteActivity(user);
        return;
      }
      const device = deviceOf(user);
      const now = clock.now();
      if (device && now - device.activeMs < tellMs) return;
      if (device) device.activeMs = now;
      roles.call(presenceRole, userId, 'noteActivity', { user }).catch(nothing);
    },
    async receive(presences) {
      const groups = Map.groupBy(presences, ({ userId }) => shard(userId));
      await Promise.all(
        Array.from(groups.values(), (group) =>
          roles.call(presenceRole, group[0]!.userId, 'receive', { presences: group }),
        ),
      );
    },
    stop() {
      if (timer) clearInterval(timer);
      if (asking) clearTimeout(asking);
      if (repeating) clearTimeout(repeating);
    },
  };
}
