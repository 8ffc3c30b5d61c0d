import { Type, type Static } from 'typebox';
import { clientPaths, endpoint, type Requester } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { writeAnnounced } from '../announce.ts';
import { deviceOf, type KeysServices } from '../services.ts';
import {
  canonicalText,
  checkComplete,
  deviceKeysSchema,
  oneTimeKeysOf,
  oneTimeKeysSchema,
} from '../signed-objects.ts';
import { setDeviceKeys } from '../store/device-lists.ts';

/** Larger device keys are refused: they go to everybody who shares a room. */
const deviceKeysLengthMax = 65_536;
const declare = endpoint<KeysServices>();
const runsOn = { group: 'key_upload', balance: 'user' } as const;
const errors = ['M_BAD_JSON', 'M_INVALID_PARAM', 'M_UNKNOWN', 'M_TOO_LARGE'] as const;

const body = Type.Object({
  device_keys: Type.Optional(deviceKeysSchema),
  one_time_keys: Type.Optional(oneTimeKeysSchema),
  fallback_keys: Type.Optional(oneTimeKeysSchema),
  'org.matrix.msc2732.fallback_keys': Type.Optional(oneTimeKeysSchema),
});

/** The JSON text of device keys. Throws when they are not the requester's device's. */
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

async function upload(
  requester: Requester,
  given: Static<typeof body>,
  { committer, oneTimeKeys }: KeysServices,
) {
  const { userNid, deviceNid, deviceId } = deviceOf(requester);
  const { userId } = requester;
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

const uploadKeys = declare({
  operation: 'uploadKeys',
  method: 'POST',
  paths: clientPaths('/keys/upload'),
  auth: 'guest',
  runsOn,
  summary: "Publishes the device's identity keys, one-time keys and fallback keys",
  source: 'CS 1.19, uploadKeys; MSC2732, MSC4225',
  body,
  bodyMode: 'optional',
  errors,
  handle: (context, services) => upload(context.requester, context.body, services),
});

const uploadKeysOfDevice = declare({
  operation: 'uploadKeysOfDevice',
  method: 'POST',
  paths: clientPaths('/keys/upload/:deviceId'),
  auth: 'guest',
  runsOn,
  summary: 'The same, with the device in the path',
  source: 'CS r0.0.1',
  deprecated: true,
  body,
  bodyMode: 'optional',
  errors,
  async handle({ params, body: given, requester }, services) {
    if (params['deviceId'] !== deviceOf(requester).deviceId) {
      throw new MatrixError('M_INVALID_PARAM', 'The device in the path is not the own device');
    }
    return upload(requester, given, services);
  },
});

export const uploadEndpoints = [uploadKeys, uploadKeysOfDevice];
