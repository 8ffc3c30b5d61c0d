import { Type } from 'typebox';
import { endpoint, JsonText } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { serverNameOf } from '../../matrix/ids.ts';
import { claimedMembers } from '../claimed-keys.ts';
import { shownToServers } from '../device-updates.ts';
import type { UserRef } from '../key-directory.ts';
import type { KeysServices } from '../services.ts';
import type { UserKeys } from '../user-keys.ts';

const declare = endpoint<KeysServices>();
const shared = {
  auth: 'server',
  resource: 'federation',
  runsOn: { group: 'federation', balance: 'origin' },
} as const;

const text = Type.String();

/** Throws M_INVALID_PARAM unless all users are of this server. */
function requireLocal(userIds: readonly string[], serverName: string): void {
  if (userIds.every((userId) => serverNameOf(userId) === serverName)) return;
  throw new MatrixError('M_INVALID_PARAM', 'A user is not one of this server');
}

function devicesOf({ devices }: UserKeys, { tellsDeviceNames }: KeysServices) {
  return Array.from(devices, ([deviceId, { json }]) => ({
    deviceId,
    ...shownToServers(json, tellsDeviceNames),
  }));
}

const getUserDevices = declare({
  ...shared,
  operation: 'getUserDevices',
  method: 'GET',
  paths: ['/_matrix/federation/v1/user/devices/:userId'],
  summary: 'Tells another server all devices and keys of a user of this one',
  source: 'SS 1.19, getUserDevices',
  errors: ['M_INVALID_PARAM', 'M_NOT_FOUND'],
  async handle({ params }, services) {
    const { userId = '' } = params;
    requireLocal([userId], services.serverName);
    const userNid = (await services.userNidsOf([userId])).get(userId);
    if (userNid === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such user');
    const user = { userId, userNid };
    // First of all: a change that comes meanwhile is told twice rather than not at all.
    const streamId = await services.streamIdOf(userNid);
    const keys = (await services.directory.of([user])).get(userNid)!;
    const { master, self_signing: selfSigning } = keys.crossSigning;
    return {
      user_id: userId,
      stream_id: streamId,
      devices: devicesOf(keys, services).map((device) => ({
        device_id: device.deviceId,
        keys: device.keys,
        ...device.name,
      })),
      ...(master ? { master_key: master.key } : {}),
      ...(selfSigning ? { self_signing_key: selfSigning.key } : {}),
    };
  },
});

/** Devices of a user by id; with `deviceIds` only these. */
function deviceKeys(keys: UserKeys, deviceIds: readonly string[], services: KeysServices) {
  const wanted = new Set(deviceIds);
  return Object.fromEntries(
    devicesOf(keys, services)
      .filter(({ deviceId }) => wanted.size === 0 || wanted.has(deviceId))
      .map(({ deviceId, keys: device, name }) => [deviceId, { ...device, unsigned: name }]),
  );
}

const queryUserEncryptionKeys = declare({
  ...shared,
  operation: 'queryUserEncryptionKeys',
  method: 'POST',
  paths: ['/_matrix/federation/v1/user/keys/query'],
  summary: 'Tells another server the devices and keys of users of this one',
  source: 'SS 1.19, queryUserEncryptionKeys',
  body: Type.Object({ device_keys: Type.Record(text, Type.Array(text)) }),
  errors: ['M_INVALID_PARAM', 'M_BAD_JSON'],
  async handle({ body }, services) {
    const wanted = body.device_keys;
    const userIds = Object.keys(wanted);
    requireLocal(userIds, services.serverName);
    const nids = await services.userNidsOf(userIds);
    const users: UserRef[] = Array.from(nids, ([userId, userNid]) => ({ userId, userNid }));
    const keys = await services.directory.of(users);
    const sections = { device_keys: {}, master_keys: {}, self_signing_keys: {} } as Record<
      'device_keys' | 'master_keys' | 'self_signing_keys',
      Record<string, unknown>
    >;
    for (const userId of userIds) sections.device_keys[userId] = {};
    for (const { userId, userNid } of users) {
      const own = keys.get(userNid)!;
      const { master, self_signing: selfSigning } = own.crossSigning;
      sections.device_keys[userId] = deviceKeys(own, wanted[userId]!, services);
      if (master) sections.master_keys[userId] = master.key;
      if (selfSigning) sections.self_signing_keys[userId] = selfSigning.key;
    }
    return sections;
  },
});

const claimUserEncryptionKeys = declare({
  ...shared,
  operation: 'claimUserEncryptionKeys',
  method: 'POST',
  paths: ['/_matrix/federation/v1/user/keys/claim'],
  summary: 'Gives another server one-time keys of devices of users of this one',
  source: 'SS 1.19, claimUserEncryptionKeys; MSC2732',
  body: Type.Object({ one_time_keys: Type.Record(text, Type.Record(text, text)) }),
  errors: ['M_INVALID_PARAM', 'M_BAD_JSON'],
  async handle({ body }, services) {
    const userIds = Object.keys(body.one_time_keys);
    requireLocal(userIds, services.serverName);
    const members = await claimedMembers(body.one_time_keys, userIds, services);
    return new JsonText(`{"one_time_keys":{${members.join(',')}}}`);
  },
});

export const forServersEndpoints = [
  getUserDevices,
  queryUserEncryptionKeys,
  claimUserEncryptionKeys,
];
