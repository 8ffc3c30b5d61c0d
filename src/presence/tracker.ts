import type { Clock } from '../kernel/clock.ts';
import { createTimerWheel } from '../kernel/timer-wheel.ts';
import type { Bus } from '../streams/bus.ts';
import type { Board } from './board.ts';
import type { PresenceConfig } from './config.ts';
import { presenceStream, type Presence, type PresenceState } from './streams.ts';
import { dropSilentDevices, nextChange, stateOf } from './user-presence.ts';
import type { DevicePresence, LocalUser } from './user-presence.ts';

/** How late a change by time alone may be noticed. */
const tickMs = 1000;
/** Devices of one user; more than anybody has in use at once. */
const devicesMax = 100;
/** How long another server's word holds; servers repeat it more often. */
const remoteMs = 30 * 60_000;
/** Users of other servers who may be present at once. */
const remoteUsersMax = 50_000;

/** Who has done something, and with which device. */
export interface ActiveUser {
  userId: string;
  userNid: number;
  deviceId: string | null;
}

interface RemoteUser {
  userNid: number;
  userId: string;
  untilMs: number;
}

/** Decides how present users are, and announces it when that changes. */
export interface Tracker {
  /** What a client says of itself. */
  set(user: ActiveUser, state: PresenceState, statusMsg: string | null): void;
  /** A sync begins; call what is returned when it ends. */
  syncing(user: ActiveUser, state: PresenceState): () => void;
  noteActivity(user: ActiveUser): void;
  /** The device syncs, now or within the last seconds, with another process perhaps. */
  seen(user: ActiveUser, state: PresenceState): void;
  /** Forgets users without a word: another process decides about them. */
  forget(isForgotten: (userId: string) => boolean): void;
  /** What another server says of its user. */
  receive(presence: Omit<Presence, 'isLocal'>): void;
  /** With the time of the last activity, which is not announced each time. */
  upToDate(presence: Presence): Presence;
  /** Does what has become due; happens by itself. */
  tick(): void;
  stop(): void;
}

const nothing = () => {};

type Shown = Pick<Presence, 'state' | 'statusMsg' | 'isCurrentlyActive'>;
const unseen: Shown = { state: 'offline', statusMsg: null, isCurrentlyActive: false };

/** Whether others would see a difference. */
function hasChanged(known: Shown | undefined, after: Shown): boolean {
  const before = known ?? unseen;
  return (
    before.state !== after.state ||
    before.statusMsg !== after.statusMsg ||
    before.isCurrentlyActive !== after.isCurrentlyActive
  );
}

/** `mayChange`: whether a sync may change the user's presence now; a later one will try again. */
export function createTracker(
  config: PresenceConfig,
  clock: Clock,
  bus: Bus,
  board: Board,
  mayChange: (userId: string) => boolean = () => true,
): Tracker {
  /** Users with a device that is not offline. */
  const users = new Map<number, LocalUser>();
  const remotes = new Map<number, RemoteUser>();
  const locals = createTimerWheel<LocalUser>({ clock, tickMs, due: onDue });
  const others = createTimerWheel<RemoteUser>({ clock, tickMs, due: onRemoteDue });

  function announce(row: Presence): void {
    bus.publish([{ stream: presenceStream, pos: bus.nextEphemeral(), row }]);
  }

  function callAt(user: LocalUser, atMs: number): void {
    if (user.calledAtMs !== null && user.calledAtMs <= atMs) return;
    user.calledAtMs = atMs;
    locals.set(user, atMs);
  }

  /** Announces the user's presence if others would see a difference. */
  function refresh(user: LocalUser): void {
    const now = clock.now();
    dropSilentDevices(user, config, now);
    const { userNid, userId, lastActiveTs, statusMsg } = user;
    const state = stateOf(user, config, now);
    const isCurrentlyActive =
      state === 'online' && lastActiveTs !== null && now - lastActiveTs < config.activeMs;
    if (hasChanged(board.get(userNid), { state, statusMsg, isCurrentlyActive })) {
      announce({
        userNid,
        userId,
        isLocal: true,
        state,
        lastActiveTs,
        statusMsg,
        isCurrentlyActive,
      });
    }
    if (user.devices.size === 0) users.delete(userNid);
    const next = nextChange(user, config, now);
    if (next !== null && user.devices.size > 0) callAt(user, next);
  }

  function onDue(user: LocalUser): void {
    if (user.calledAtMs === null || clock.now() < user.calledAtMs) return;
    user.calledAtMs = null;
    if (users.get(user.userNid) === user) refresh(user);
  }

  function onRemoteDue(remote: RemoteUser): void {
    if (remotes.get(remote.userNid) !== remote) return;
    if (clock.now() < remote.untilMs) {
      others.set(remote, remote.untilMs);
      return;
    }
    remotes.delete(remote.userNid);
    const known = board.get(remote.userNid);
    if (known) announce({ ...known, state: 'offline', isCurrentlyActive: false });
  }

  function userOf({ userNid, userId }: ActiveUser): LocalUser {
    let user = users.get(userNid);
    if (!user) {
      const known = board.get(userNid);
      user = {
        userNid,
        userId,
        devices: new Map(),
        statusMsg: known?.statusMsg ?? null,
        lastActiveTs: known?.lastActiveTs ?? null,
        calledAtMs: null,
      };
      users.set(userNid, user);
    }
    return user;
  }

  /** The user's device; a new one has just come online. */
  function deviceOf(user: LocalUser, deviceId: string): DevicePresence {
    let device = user.devices.get(deviceId);
    if (!device) {
      const now = clock.now();
      device = { wanted: 'offline', lastActiveTs: now, lastSyncTs: now, syncs: 0 };
      if (user.devices.size >= devicesMax) user.devices.delete(user.devices.keys().next().value!);
      user.devices.set(deviceId, device);
      user.lastActiveTs = now;
    }
    return device;
  }

  return {
    set(active, state, statusMsg) {
      const user = userOf(active);
      const device = deviceOf(user, active.deviceId ?? '');
      const now = clock.now();
      device.wanted = state;
      device.lastActiveTs = now;
      device.lastSyncTs = now;
      user.lastActiveTs = now;
      user.statusMsg = state === 'offline' ? null : statusMsg;
      refresh(user);
    },
    syncing(active, state) {
      if (state === 'offline') return nothing;
      const user = userOf(active);
      const device = deviceOf(user, active.deviceId ?? '');
      device.syncs++;
      if (device.wanted !== state && mayChange(active.userId)) {
        device.wanted = state;
        refresh(user);
      }
      let hasEnded = false;
      return () => {
        if (hasEnded) return;
        hasEnded = true;
        device.syncs--;
        device.lastSyncTs = clock.now();
        callAt(user, device.lastSyncTs + config.syncOnlineMs);
      };
    },
    seen(active, state) {
      const user = userOf(active);
      const device = deviceOf(user, active.deviceId ?? '');
      device.lastSyncTs = clock.now();
      device.wanted = state;
      refresh(user);
    },
    forget(isForgotten) {
      for (const [userNid, { userId }] of users) if (isForgotten(userId)) users.delete(userNid);
      for (const [userNid, { userId }] of remotes) if (isForgotten(userId)) remotes.delete(userNid);
    },
    noteActivity({ userNid, deviceId }) {
      const user = users.get(userNid);
      if (!user) return;
      const now = clock.now();
      user.lastActiveTs = now;
      const device = user.devices.get(deviceId ?? '');
      if (!device) return;
      const wasActive = now - device.lastActiveTs < config.activeMs;
      device.lastActiveTs = now;
      if (device.wanted === 'unavailable') device.wanted = 'online';
      else if (wasActive) return;
      refresh(user);
    },
    receive(presence) {
      const { userNid } = presence;
      if (presence.state === 'offline') remotes.delete(userNid);
      else {
        if (!remotes.has(userNid) && remotes.size >= remoteUsersMax) return;
        const untilMs = clock.now() + remoteMs;
        const remote = remotes.get(userNid);
        if (remote) remote.untilMs = untilMs;
        else {
          const added = { userNid, userId: presence.userId, untilMs };
          remotes.set(userNid, added);
          others.set(added, untilMs);
        }
      }
      const known = board.get(userNid);
      const isNews =
        !known ||
        hasChanged(known, presence) ||
        (presence.lastActiveTs ?? 0) - (known.lastActiveTs ?? 0) >= config.activeMs;
      if (isNews) announce({ ...presence, isLocal: false });
    },
    upToDate(presence) {
      const lastActiveTs = users.get(presence.userNid)?.lastActiveTs ?? null;
      return lastActiveTs === null ? presence : { ...presence, lastActiveTs };
    },
    tick() {
      locals.run();
      others.run();
    },
    stop() {
      locals.stop();
      others.stop();
    },
  };
}
