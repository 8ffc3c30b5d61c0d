import { MatrixError } from '../kernel/errors.ts';
import type { JsonObject, JsonValue } from '../matrix/pdu.ts';
import { checkCrossSigningKeys, type NewCrossSigningKey } from './cross-signing.ts';
import type { KeyRow } from './store/keys-of-users.ts';
import { userKeysOf, type UserKeys } from './user-keys.ts';

/** A device of a user of another server. */
export interface RemoteDevice {
  deviceId: string;
  /** JSON text without `unsigned`. */
  keys: string;
  displayName: string | null;
}

/** What a server says of a user's devices and keys, as far as it is of the form. */
export interface RemoteList {
  /** Null: it does not say. */
  streamId: number | null;
  devices: RemoteDevice[];
  crossSigning: NewCrossSigningKey[];
}

/** Longer keys are refused, as are those of this server's users. */
const keysLengthMax = 65_536;
/** Parts of an indexed key. */
const deviceIdLengthMax = 255;
/** Longer names are cut, in UTF-16 units. */
const displayNameLengthMax = 100;

export function objectOf(value: unknown): JsonObject | null {
  const isOne = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isOne ? (value as JsonObject) : null;
}

export const isDeviceId = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= deviceIdLengthMax && !value.includes('\0');

/** The keys of a device as a server tells them; null: they are not the device's, or too large. */
export function remoteDevice(
  userId: string,
  deviceId: unknown,
  given: unknown,
  name?: unknown,
): RemoteDevice | null {
  const device = objectOf(given);
  if (!device || !isDeviceId(deviceId)) return null;
  const { unsigned, ...keys } = device;
  if (keys['user_id'] !== userId || keys['device_id'] !== deviceId) return null;
  const text = JSON.stringify(keys);
  if (text.length > keysLengthMax) return null;
  const displayName = name ?? objectOf(unsigned)?.['device_display_name'];
  const shown = typeof displayName === 'string' && !displayName.includes('\0');
  return {
    deviceId,
    keys: text,
    displayName: shown ? displayName.slice(0, displayNameLengthMax) : null,
  };
}

const isText = (value: unknown) => typeof value === 'string';

/** Whether the object has the members of a cross-signing key. */
function isCrossSigningKey(key: JsonObject): boolean {
  const { usage, keys } = key;
  const publicKeys = objectOf(keys);
  const hasUsage = Array.isArray(usage) && usage.every(isText);
  return hasUsage && publicKeys !== null && Object.values(publicKeys).every(isText);
}

type Usage = 'master' | 'self_signing';

/**
 * The cross-signing keys that a server tells, without those that are malformed. A self-signing key
 * has to be signed by the master key: one that comes with it, or else that is `known`.
 */
export function remoteCrossSigning(
  userId: string,
  given: Partial<Record<Usage, unknown>>,
  known: UserKeys,
): NewCrossSigningKey[] {
  const taken: Partial<Record<Usage, JsonObject>> = {};
  let found: NewCrossSigningKey[] = [];
  for (const usage of ['master', 'self_signing'] as const) {
    const key = objectOf(given[usage]);
    if (!key || !isCrossSigningKey(key) || JSON.stringify(key).length > keysLengthMax) continue;
    try {
      found = checkCrossSigningKeys(userId, { ...taken, [usage]: key }, known);
      taken[usage] = key;
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
    }
  }
  return found;
}

const nothingKnown = userKeysOf('', []);

function crossSigningIn(userId: string, master: unknown, selfSigning: unknown) {
  return remoteCrossSigning(userId, { master, self_signing: selfSigning }, nothingKnown);
}

/** Reads the answer of `GET /user/devices/{userId}`; null: it is none. */
export function listInDevices(userId: string, answer: JsonObject): RemoteList | null {
  const { stream_id: streamId, devices } = answer;
  if (!Array.isArray(devices) || answer['user_id'] !== userId) return null;
  const found = new Map<string, RemoteDevice>();
  for (const entry of devices) {
    const { device_id: id, keys, device_display_name: name } = objectOf(entry) ?? {};
    const device = remoteDevice(userId, id, keys, name);
    if (device) found.set(device.deviceId, device);
  }
  return {
    streamId: Number.isSafeInteger(streamId) ? (streamId as number) : null,
    devices: [...found.values()],
    crossSigning: crossSigningIn(userId, answer['master_key'], answer['self_signing_key']),
  };
}

const memberOf = (answer: JsonObject, section: string, userId: string): JsonValue | undefined => {
  const users = objectOf(answer[section]);
  return users && Object.hasOwn(users, userId) ? users[userId] : undefined;
};

/** Reads what the answer of `POST /user/keys/query` says of a user; null: nothing. */
export function listInQuery(userId: string, answer: JsonObject): RemoteList | null {
  const devices = objectOf(memberOf(answer, 'device_keys', userId));
  if (!devices) return null;
  return {
    streamId: null,
    devices: Object.entries(devices).flatMap(
      ([deviceId, keys]) => remoteDevice(userId, deviceId, keys) ?? [],
    ),
    crossSigning: crossSigningIn(
      userId,
      memberOf(answer, 'master_keys', userId),
      memberOf(answer, 'self_signing_keys', userId),
    ),
  };
}

/** The list as what is sent to clients is made of. */
export function keysOfList(userId: string, { devices, crossSigning }: RemoteList): UserKeys {
  const rows: KeyRow[] = devices.map(({ deviceId, keys, displayName }) => ({
    userNid: 0,
    kind: 'device',
    id: deviceId,
    value: keys,
    name: displayName,
  }));
  for (const { usage, publicKey, json } of crossSigning) {
    rows.push({ userNid: 0, kind: usage, id: publicKey, value: json, name: null });
  }
  return userKeysOf(userId, rows);
}

/** Of the keys that a server gives for devices, those that were asked for, by device. */
export function claimedIn(
  answer: JsonObject,
  userId: string,
  wanted: Readonly<Record<string, string>>,
): JsonObject {
  const given = objectOf(memberOf(answer, 'one_time_keys', userId)) ?? {};
  const found: JsonObject = {};
  for (const [deviceId, algorithm] of Object.entries(wanted)) {
    const keys = Object.hasOwn(given, deviceId) ? objectOf(given[deviceId]) : null;
    const key = Object.entries(keys ?? {}).find(([id]) => id.startsWith(`${algorithm}:`));
    if (key) found[deviceId] = Object.fromEntries([key]);
  }
  return found;
}
