import { Type, type Static } from 'typebox';
import { MatrixError } from '../kernel/errors.ts';
import { writeAnnounced } from './announce.ts';
import type { KeysServices } from './services.ts';
import {
  canonicalText,
  checkComplete,
  deviceKeysSchema,
  oneTimeKeysOf,
  oneTimeKeysSchema,
} from './signed-objects.ts';
import { setDeviceKeys } from './store/device-lists.ts';

/** Larger device keys are refused: they go to everybody who shares a room. */
const deviceKeysLengthMax = 65_536;
/** What a device publishes. */
export const uploadBody = Type.Object({
  device_keys: Type.Optional(deviceKeysSchema),
  one_time_keys: Type.Optional(oneTimeKeysSchema),
  fallback_keys: Type.Optional(oneTimeKeysSchema),
  'org.matrix.msc2732.fallback_keys': Type.Optional(oneTimeKeysSchema),
});

/** The device whose keys are published. */
export interface UploadingDevice {
  userNid: number;
  userId: string;
  deviceNid: number;
  deviceId: string;
}

/** The JSON text of device keys. Throws when they are another device's. */
function deviceKeysText(given: object, userId: string, deviceId: string): string {
  checkComplete(given);
  const { unsigned: _unsigned, ...keys } = given as Record<string, unknown>;
  if (keys['user_id'] !== userId || keys['device_id'] !== deviceId) {
    throw new MatrixError('M_INVALID_PARAM', `device_keys are not those of ${userId} ${deviceId}`);
  }
  const text = canonicalText(keys);
  if (text.length > deviceKeysLengthMax) {
    throw new MatrixError('M_TOO_LARGE', `device_keys are over ${deviceKeysLengthMax} characters`);
  }
  return text;
}

/** Publishes identity keys, one-time keys and fallback keys of a device. */
export async function uploadKeysFor(
  { userNid, userId, deviceNid, deviceId }: UploadingDevice,
  given: Static<typeof uploadBody>,
  { committer, oneTimeKeys }: Pick<KeysServices, 'committer' | 'oneTimeKeys'>,
) {
  const { device_keys: deviceKeys } = given;
  const text = deviceKeys ? deviceKeysText(deviceKeys, userId, deviceId) : null;
  const keys = oneTimeKeysOf(given.one_time_keys ?? {});
  const fallback = oneTimeKeysOf(
    given.fallback_keys ?? given['org.matrix.msc2732.fallback_keys'] ?? {},
  );
  if (new Set(fallback.map(({ algorithm }) => algorithm)).size < fallback.length) {
    throw new MatrixError('M_INVALID_PARAM', 'There can be one fallback key of an algorithm');
  }
  const device = { userNid, deviceNid };
  // Together, so that they are one transaction when nothing else is waiting.
  const [added] = await Promise.all([
    keys.length > 0 ? oneTimeKeys.add(device, keys) : null,
    text === null
      ? null
      : writeAnnounced(
          committer,
          { userNid, userId },
          { statement: setDeviceKeys as never, params: [userNid, deviceNid, text] },
        ),
    fallback.length > 0 ? oneTimeKeys.setFallback(device, fallback) : null,
  ]);
  if (added?.takenKeyId) {
    throw new MatrixError(
      'M_UNKNOWN',
      `One time key ${added.takenKeyId} already exists, and it is another one`,
    );
  }
  const { counts } = added ?? (await oneTimeKeys.state(userNid, deviceNid));
  return { one_time_key_counts: { signed_curve25519: 0, ...counts } };
}
