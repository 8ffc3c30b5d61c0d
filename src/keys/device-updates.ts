import type { JsonObject } from '../matrix/pdu.ts';
import type { KeyDirectory } from './key-directory.ts';
import type { ChangedDevice, DeviceChange, DeviceChangeStore } from './store/device-changes.ts';
import type { UserKeys } from './user-keys.ts';

/** A change of a user's devices or keys, by its position in the stream `device_lists`. */
export interface ChangeRef {
  pos: number;
  userNid: number;
  userId: string;
}

/** What other servers are told of the devices and keys of this server's users. */
export interface DeviceUpdates {
  /**
   * Changes after a position up to another, in order, at most `limit`; only the newest of each device.
   */
  changes(afterPos: number, uptoPos: number, limit: number): Promise<DeviceChange[]>;
  /**
   * The changes as EDUs, `m.device_list_update` and `m.signing_key_update` (server-server spec,
   * "Device Management" and "End-to-End Encryption"); without those that others came after.
   */
  edus(changes: readonly ChangeRef[]): Promise<JsonObject[]>;
  /** All servers have been told of what was before a position: devices that are no more are forgotten. */
  forget(beforePos: number): Promise<void>;
  /** The `stream_id` of the newest `m.device_list_update` of a user; 0: there was none. */
  streamId(userNid: number): Promise<number>;
}

/** What other servers are shown of a device. */
export interface ShownKeys {
  /** Without `unsigned`. */
  keys: JsonObject;
  /** As `device_display_name`, or nothing. */
  name: { device_display_name?: string };
}

/** Splits what clients are shown of a device (`UserKeys`). */
export function shownToServers(json: string, tellsDeviceNames: boolean): ShownKeys {
  const { unsigned, ...keys } = JSON.parse(json) as JsonObject;
  const { device_display_name: name } = unsigned as { device_display_name?: string };
  return {
    keys,
    name: tellsDeviceNames && name !== undefined ? { device_display_name: name } : {},
  };
}

interface UpdateOptions {
  /** [allow_device_name_lookup_over_federation] */
  tellsDeviceNames: boolean;
}

function deviceUpdate(
  userId: string,
  change: ChangedDevice,
  { devices }: UserKeys,
  { tellsDeviceNames }: UpdateOptions,
): JsonObject {
  const { pos, prevPos, deviceId, isGone } = change;
  const device = devices.get(deviceId);
  const shown = device && shownToServers(device.json, tellsDeviceNames);
  return {
    edu_type: 'm.device_list_update',
    content: {
      user_id: userId,
      device_id: deviceId,
      stream_id: pos,
      prev_id: prevPos === null ? [] : [prevPos],
      // A device may be there without keys.
      ...(shown ? { keys: shown.keys, ...shown.name } : isGone ? { deleted: true } : {}),
    },
  };
}

/**
 * Several devices at one position have no ids of their own: one that does not follow anything makes
 * the other server ask for all of them.
 */
function manyDevices(
  userId: string,
  changes: readonly ChangedDevice[],
  keys: UserKeys,
  options: UpdateOptions,
) {
  const [first] = changes as [ChangedDevice];
  if (changes.length === 1) return [deviceUpdate(userId, first, keys, options)];
  return [deviceUpdate(userId, { ...first, prevPos: null }, keys, options)];
}

function signingKeyUpdate(userId: string, { crossSigning }: UserKeys): JsonObject {
  const { master, self_signing: selfSigning } = crossSigning;
  return {
    edu_type: 'm.signing_key_update',
    content: {
      user_id: userId,
      ...(master ? { master_key: master.key } : {}),
      ...(selfSigning ? { self_signing_key: selfSigning.key } : {}),
    },
  };
}

export function createDeviceUpdates(
  store: DeviceChangeStore,
  directory: Pick<KeyDirectory, 'of'>,
  options: UpdateOptions,
): DeviceUpdates {
  return {
    changes: (afterPos, uptoPos, limit) => store.changes(afterPos, uptoPos, limit),
    async edus(changes) {
      const rows = await store.at(changes.map(({ pos }) => pos));
      if (rows.length === 0) return [];
      const keysOf = await directory.of(changes);
      const byPos = Map.groupBy(rows, ({ pos }) => pos);
      return changes.flatMap(({ pos, userNid, userId }) => {
        const changed = byPos.get(pos) ?? [];
        const keys = keysOf.get(userNid)!;
        const devices = changed.filter(({ isDevice }) => isDevice);
        return [
          ...(devices.length > 0 ? manyDevices(userId, devices, keys, options) : []),
          ...(devices.length < changed.length ? [signingKeyUpdate(userId, keys)] : []),
        ];
      });
    },
    async forget(beforePos) {
      await store.forget(beforePos);
    },
    streamId: (userNid) => store.streamId(userNid),
  };
}
