import { Type } from 'typebox';
import { endpoint, Reply } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { DeviceAnswer } from '../devices.ts';
import type { AccountServices } from '../services.ts';

const declare = endpoint<AccountServices>();
const devicesPath = '/_synapse/admin/v2/users/:userId/devices';
const devicePath = `${devicesPath}/:deviceId`;
const shared = {
  auth: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
  source: 'Synapse admin API, "User devices"',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
} as const;

/** Admin tools look for every member. */
const shown = (device: DeviceAnswer) => ({
  display_name: null,
  last_seen_ip: null,
  last_seen_user_agent: null,
  last_seen_ts: null,
  dehydrated: false,
  ...device,
});

const list = declare({
  ...shared,
  operation: 'adminListDevices',
  method: 'GET',
  paths: [devicesPath],
  summary: 'The devices of a user',
  async handle({ params }, { moderation, devices }) {
    const all = await devices.list(await moderation.anyAccount(params['userId']!));
    return { devices: all.map(shown), total: all.length };
  },
});

const create = declare({
  ...shared,
  operation: 'adminCreateDevice',
  method: 'POST',
  paths: [devicesPath],
  summary: 'Makes a device of a user, without a session; nothing when there is one',
  body: Type.Object({ device_id: Type.String({ minLength: 1 }) }),
  async handle({ params, body }, { moderation, devices }) {
    const account = await moderation.localAccount(params['userId']!);
    await devices.create(account, body.device_id, null);
    return new Reply(201, {});
  },
});

const get = declare({
  ...shared,
  operation: 'adminGetDevice',
  method: 'GET',
  paths: [devicePath],
  summary: 'One device of a user',
  async handle({ params }, { moderation, devices }) {
    const account = await moderation.anyAccount(params['userId']!);
    const device = await devices.get(account, params['deviceId']!);
    if (!device) throw new MatrixError('M_NOT_FOUND', 'No device found');
    return shown(device);
  },
});

const rename = declare({
  ...shared,
  operation: 'adminUpdateDevice',
  method: 'PUT',
  paths: [devicePath],
  summary: 'Names a device of a user',
  body: Type.Object({ display_name: Type.Optional(Type.Union([Type.String(), Type.Null()])) }),
  bodyMode: 'optional',
  async handle({ params, body }, { moderation, devices }) {
    const account = await moderation.anyAccount(params['userId']!);
    if (!(await devices.rename(account, params['deviceId']!, body.display_name ?? null))) {
      throw new MatrixError('M_NOT_FOUND', 'No device found');
    }
    return {};
  },
});

const remove = declare({
  ...shared,
  operation: 'adminDeleteDevice',
  method: 'DELETE',
  paths: [devicePath],
  summary: 'Removes a device of a user and ends its session',
  bodyMode: 'optional',
  async handle({ params }, { moderation, devices }) {
    await devices.delete(await moderation.anyAccount(params['userId']!), [params['deviceId']!]);
    return {};
  },
});

const removeSeveral = declare({
  ...shared,
  operation: 'adminDeleteDevices',
  method: 'POST',
  paths: ['/_synapse/admin/v2/users/:userId/delete_devices'],
  summary: 'Removes devices of a user and ends their sessions',
  body: Type.Object({ devices: Type.Array(Type.String()) }),
  async handle({ params, body }, { moderation, devices }) {
    await devices.delete(await moderation.anyAccount(params['userId']!), body.devices);
    return {};
  },
});

export const adminDeviceEndpoints = [list, create, get, rename, remove, removeSeveral];
