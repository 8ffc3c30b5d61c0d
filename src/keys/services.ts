import type { UiAuth } from '../accounts/module.ts';
import type { Committer } from '../streams/committer.ts';
import type { KeyDirectory, UserRef } from './key-directory.ts';
import type { OneTimeKeys } from './one-time-keys.ts';
import type { RemoteKeys } from './remote-keys.ts';
import type { ReplacementStore } from './store/replacements.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Requester } from '../http/endpoint.ts';
import { MatrixError } from '../kernel/errors.ts';
import { isUserId, serverNameOf } from '../matrix/ids.ts';

/** Who to look at anew, and who no longer. */
export interface DeviceListChanges {
  changed: string[];
  left: string[];
}

export interface KeysServices {
  serverName: string;
  /** Other servers are told the names of devices. */
  tellsDeviceNames: boolean;
  committer: Committer;
  directory: KeyDirectory;
  oneTimeKeys: OneTimeKeys;
  /** Whether one of the ids is that of a device of the user. */
  hasDevice(userNid: number, deviceIds: string[]): Promise<boolean>;
  /** The numbers of those of the users who are known here. */
  userNidsOf(userIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** What has changed for a user since a durable position. */
  deviceListChanges(user: UserRef, afterPos: number): Promise<DeviceListChanges>;
  /** What the newest device list update of a user of this server was numbered with; 0: none. */
  streamIdOf(userNid: number): Promise<number>;
  remoteKeys: RemoteKeys;
  replacements: ReplacementStore;
  clock: Clock;
  /** An account of this server. Throws M_INVALID_PARAM, M_NOT_FOUND. */
  accountOf(userId: string): Promise<UserRef>;
  uiAuth: UiAuth;
  /** Stages with which a user confirms who they are. */
  reauthFlows(userId: string): Promise<string[][]>;
}

/** How long other servers are waited for; what the spec recommends, and no more than a client waits. */
const remoteTimeoutMsDefault = 10_000;
const remoteTimeoutMsMax = 60_000;

export function remoteTimeoutMs(asked: number | undefined): number {
  return Math.min(asked ?? remoteTimeoutMsDefault, remoteTimeoutMsMax);
}

/** What is asked about users, by where they are. */
export interface AskedUsers<T> {
  local: string[];
  remote: Record<string, T>;
  /** Are no user ids: nobody can have such keys. */
  malformed: string[];
}

export function askedUsers<T>(wanted: Record<string, T>, serverName: string): AskedUsers<T> {
  const local: string[] = [];
  const remote: Record<string, T> = {};
  const malformed: string[] = [];
  for (const [userId, of] of Object.entries(wanted)) {
    if (!isUserId(userId)) malformed.push(userId);
    else if (serverNameOf(userId) === serverName) local.push(userId);
    else remote[userId] = of;
  }
  return { local, remote, malformed };
}

/** The requester's device. Throws M_INVALID_PARAM when the token is of none. */
export function deviceOf(requester: Requester): {
  userNid: number;
  deviceNid: number;
  deviceId: string;
} {
  const { userNid, deviceNid, deviceId } = requester;
  if (deviceNid === null || deviceId === null) {
    throw new MatrixError('M_INVALID_PARAM', 'The access token does not belong to a device');
  }
  return { userNid, deviceNid, deviceId };
}
