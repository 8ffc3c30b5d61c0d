import type { PresenceConfig } from './config.ts';
import type { PresenceState } from './streams.ts';

/** What one device of a user has last said and done. */
export interface DevicePresence {
  /** What the device asked for; an online device without activity counts as unavailable. */
  wanted: PresenceState;
  lastActiveTs: number;
  lastSyncTs: number;
  /** Syncs that are waiting or running. */
  syncs: number;
}

/** A user of this server who is present, or was. */
export interface LocalUser {
  userNid: number;
  userId: string;
  /** By device id; '' for requests without a device. */
  devices: Map<string, DevicePresence>;
  statusMsg: string | null;
  lastActiveTs: number | null;
  /** When the wheel calls next; null: not at all. */
  calledAtMs: number | null;
}

/** Drops the devices that have not synced for too long: they are offline. */
export function dropSilentDevices(user: LocalUser, config: PresenceConfig, now: number): void {
  for (const [deviceId, device] of user.devices) {
    if (device.syncs > 0 || now - device.lastSyncTs < config.syncOnlineMs) continue;
    user.devices.delete(deviceId);
  }
}

/** A user is as present as the most present device. */
export function stateOf(user: LocalUser, config: PresenceConfig, now: number): PresenceState {
  let state: PresenceState = 'offline';
  for (const device of user.devices.values()) {
    if (device.wanted === 'offline') continue;
    const isIdle = now - device.lastActiveTs >= config.idleMs;
    if (device.wanted === 'online' && !isIdle) return 'online';
    state = 'unavailable';
  }
  return state;
}

/** When time alone changes how present the user is; null: never. */
export function nextChange(user: LocalUser, config: PresenceConfig, now: number): number | null {
  let next = Infinity;
  const consider = (ts: number) => {
    if (ts > now && ts < next) next = ts;
  };
  for (const device of user.devices.values()) {
    if (device.syncs === 0) consider(device.lastSyncTs + config.syncOnlineMs);
    if (device.wanted === 'online') consider(device.lastActiveTs + config.idleMs);
  }
  if (user.lastActiveTs !== null) consider(user.lastActiveTs + config.activeMs);
  return next === Infinity ? null : next;
}
