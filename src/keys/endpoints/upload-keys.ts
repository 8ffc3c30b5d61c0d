import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { deviceOf, type KeysServices } from '../services.ts';
import { uploadBody, uploadKeysFor } from '../upload.ts';

const declare = endpoint<KeysServices>();
const runsOn = { group: 'key_upload', balance: 'user' } as const;
const errors = ['M_BAD_JSON', 'M_INVALID_PARAM', 'M_UNKNOWN', 'M_TOO_LARGE'] as const;

const uploadKeys = declare({
  operation: 'uploadKeys',
  method: 'POST',
  paths: clientPaths('/keys/upload'),
  auth: 'guest',
  runsOn,
  summary: "Publishes the device's identity keys, one-time keys and fallback keys",
  source: 'CS 1.19, uploadKeys; MSC2732, MSC4225',
  body: uploadBody,
  bodyMode: 'optional',
  errors,
  handle: ({ body, requester }, services) =>
    uploadKeysFor({ ...requester, ...deviceOf(requester) }, body, services),
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
  body: uploadBody,
  bodyMode: 'optional',
  errors,
  async handle({ params, body: given, requester }, services) {
    const device = { ...requester, ...deviceOf(requester) };
    if (params['deviceId'] !== device.deviceId) {
      throw new MatrixError('M_INVALID_PARAM', 'The device in the path is not the own device');
    }
    return uploadKeysFor(device, given, services);
  },
});

export const uploadEndpoints = [uploadKeys, uploadKeysOfDevice];
