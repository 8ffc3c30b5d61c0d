import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Connections } from './connections.ts';
import { checkedDeviceId, type Sessions } from './sessions.ts';
import {
  deleteDevices,
  deleteDevicesExcept,
  insertDevice,
  selectDevice,
  selectDevices,
  updateDeviceName,
  type DeletedDevice,
  type DeviceRow,
} from './store/devices.ts';
import { deleteTokensExcept } from './store/tokens.ts';
import type { AccountEvents, UserRef } from './subscribers.ts';

/** A device as clients see it. Source: CS 1.19, "Device management". */
export interface DeviceAnswer {
  device_id: string;
  user_id: string;
  display_name?: string;
  last_seen_ip?: string;
  last_seen_user_agent?: string;
  last_seen_ts?: number;
  /** MSC3814: it has no session. */
  dehydrated?: true;
}

/** The devices of this server's users. */
export interface Devices {
  list(user: UserRef): Promise<DeviceAnswer[]>;
  /** Null: no such device. */
  get(user: UserRef, deviceId: string): Promise<DeviceAnswer | null>;
  /** False: no such device. */
  rename(user: UserRef, deviceId: string, displayName: string | null): Promise<boolean>;
  /** For application services, which make devices without logging in. False: it exists. */
  create(user: UserRef, deviceId: string, displayName: string | null): Promise<boolean>;
  /** A device without a session (MSC3814). Gives its number; null: the device exists. */
  createDehydrated(
    user: UserRef,
    deviceId: string,
    displayName: string | null,
  ): Promise<number | null>;
  /** Ends the devices' sessions. Those that do not exist are passed over. */
  delete(user: UserRef, deviceIds: readonly string[]): Promise<void>;
  /** Ends every session but the one with the device and token that are kept. */
  deleteOthers(
    user: UserRef,
    kept: { deviceId: string | null; tokenNid: number | null },
  ): Promise<void>;
  /** Also those without a session. */
  deleteAll(user: UserRef): Promise<void>;
}

/** Longer names are refused, as other servers do. */
const displayNameLengthMax = 100;

export interface DevicesDependencies {
  database: Database;
  clock: Clock;
  connections: Connections;
  sessions: Sessions;
  events: AccountEvents;
}

export function createDevices(dependencies: DevicesDependencies): Devices {
  const { database, clock, connections, sessions, events } = dependencies;

  async function ended(user: UserRef, gone: DeletedDevice[]): Promise<void> {
    await sessions.changed(user.userNid);
    if (gone.length > 0) await events.devicesDeleted(user, gone);
  }

  async function create(
    user: UserRef,
    deviceId: string,
    displayName: string | null,
    isDehydrated: boolean,
  ): Promise<number | null> {
    checkDisplayName(displayName);
    const id = checkedDeviceId(deviceId);
    if (id === null) throw new MatrixError('M_INVALID_PARAM', 'device_id is empty');
    await events.deviceIdWanted(user, id);
    const params = [user.userNid, id, displayName, clock.now(), isDehydrated] as const;
    const [row] = await database.query(insertDevice, [...params]);
    if (!row) return null;
    await events.devicesAdded(user, [id]);
    return row.deviceNid;
  }

  async function deleteExcept(
    user: UserRef,
    { deviceId, tokenNid }: { deviceId: string | null; tokenNid: number | null },
    dehydratedToo: boolean,
  ): Promise<void> {
    const [gone, ofUsers] = await Promise.all([
      database.query(deleteDevicesExcept, [user.userNid, deviceId, dehydratedToo]),
      database.query(deleteTokensExcept, [user.userNid, tokenNid ?? 0]),
    ]);
    const others = ofUsers.filter(({ userNid }) => userNid !== user.userNid);
    await Promise.all(others.map(({ userNid }) => sessions.changed(userNid)));
    await ended(user, gone);
  }

  return {
    async list(user) {
      await connections.flush();
      const rows = await database.query(selectDevices, [user.userNid]);
      return rows.map((row) => deviceAnswer(user, row));
    },
    async get(user, deviceId) {
      await connections.flush();
      const [row] = await database.query(selectDevice, [user.userNid, deviceId]);
      return row ? deviceAnswer(user, row) : null;
    },
    async rename(user, deviceId, displayName) {
      checkDisplayName(displayName);
      const rows = await database.query(updateDeviceName, [user.userNid, deviceId, displayName]);
      if (rows.length === 0) return false;
      if (displayName !== null) await events.devicesRenamed(user, [deviceId]);
      return true;
    },
    create: async (user, deviceId, name) => (await create(user, deviceId, name, false)) !== null,
    createDehydrated: (user, deviceId, name) => create(user, deviceId, name, true),
    async delete(user, deviceIds) {
      await ended(user, await database.query(deleteDevices, [user.userNid, [...deviceIds]]));
    },
    deleteOthers: (user, kept) => deleteExcept(user, kept, false),
    deleteAll: (user) => deleteExcept(user, { deviceId: null, tokenNid: null }, true),
  };
}

function deviceAnswer(user: UserRef, row: DeviceRow): DeviceAnswer {
  return {
    device_id: row.deviceId,
    user_id: user.userId,
    ...(row.displayName === null ? {} : { display_name: row.displayName }),
    ...(row.lastSeenIp === null ? {} : { last_seen_ip: row.lastSeenIp }),
    ...(row.lastSeenUserAgent === null ? {} : { last_seen_user_agent: row.lastSeenUserAgent }),
    ...(row.lastSeenTs === null ? {} : { last_seen_ts: row.lastSeenTs }),
    ...(row.isDehydrated ? { dehydrated: true } : {}),
  };
}

function checkDisplayName(displayName: string | null): void {
  if (displayName !== null && displayName.length > displayNameLengthMax) {
    throw new MatrixError(
      'M_TOO_LARGE',
      `Device display name is too long (max ${displayNameLengthMax})`,
      { status: 400 },
    );
  }
}
