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

function deviceUpdate(userId: string, change: ChangedDevice, keys: UserKeys): JsonObject {
  const { pos, prevPos, deviceId, isGone } = change;
  const device = keys.devices.get(deviceId);
  // Names of devices are the user's own business.
  const { unsigned: _unsigned, ...shown } = JSON.parse(device?.json ?? '{}') as JsonObject;
  return {
    edu_type: 'm.device_list_update',
    content: {
      user_id: userId,
      device_id: deviceId,
      stream_id: pos,
      prev_id: prevPos === null ? [] : [prevPos],
      // A device may be there without keys.
      ...(device ? { keys: shown } : isGone ? { deleted: true } : {}),
    },
  };
}

/**
 * Several devices at one position have no ids of their own: one that does not follow anything makes
 * the other server ask for all of them.
 */
function manyDevices(userId: string, changes: readonly ChangedDevice[], keys: UserKeys) {
  const [first] = changes as [ChangedDevice];
  if (changes.length === 1) return [deviceUpdate(userId, first, keys)];
  return [deviceUpdate(userId, { ...first, prevPos: null }, keys)];
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
          ...(devices.length > 0 ? manyDevices(userId, devices, keys) : []),
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
