import { Type } from 'typebox';
import {
  clientPaths,
  endpoint,
  Reply,
  type Requester,
  type RequestInfo,
} from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { AccountServices } from '../services.ts';

const declare = endpoint<AccountServices>();
const runsOn = { group: 'client', balance: 'none' } as const;
const notFound = () => new MatrixError('M_NOT_FOUND', 'No such device');
const devicePaths = clientPaths('/devices/:deviceId');

const getDevices = declare({
  operation: 'getDevices',
  method: 'GET',
  paths: clientPaths('/devices'),
  auth: 'guest',
  runsOn,
  summary: "The user's devices",
  source: 'CS 1.19, getDevices',
  handle: async ({ requester }, { devices }) => ({ devices: await devices.list(requester) }),
});

const getDevice = declare({
  operation: 'getDevice',
  method: 'GET',
  paths: devicePaths,
  auth: 'guest',
  runsOn,
  summary: "One of the user's devices",
  source: 'CS 1.19, getDevice',
  errors: ['M_NOT_FOUND'],
  async handle({ params, requester }, { devices }) {
    const device = await devices.get(requester, params['deviceId']!);
    if (!device) throw notFound();
    return device;
  },
});

const updateDevice = declare({
  operation: 'updateDevice',
  method: 'PUT',
  paths: devicePaths,
  auth: 'guest',
  runsOn,
  summary: 'Names a device; application services also make devices by it',
  source: 'CS 1.19, updateDevice',
  body: Type.Object({ display_name: Type.Optional(Type.Union([Type.String(), Type.Null()])) }),
  bodyMode: 'optional',
  errors: ['M_NOT_FOUND'],
  async handle({ params, body, requester }, { devices }) {
    const deviceId = params['deviceId']!;
    const name = body.display_name ?? null;
    if (await devices.rename(requester, deviceId, name)) return {};
    if (!requester.appservice) throw notFound();
    await devices.create(requester, deviceId, name);
    return new Reply(201, {});
  },
});

async function remove(
  services: AccountServices,
  requester: Requester,
  request: RequestInfo,
  body: Record<string, unknown>,
  deviceIds: string[],
) {
  const { devices, uiAuth, reauthFlows } = services;
  const done = async () => {
    await devices.delete(requester, deviceIds);
    return {};
  };
  if (requester.appservice) return done();
  return uiAuth.authorise(
    {
      body,
      request,
      requester,
      flows: await reauthFlows(requester.userId),
      description: 'remove device(s) from your account',
      mayReuse: true,
    },
    done,
  );
}

const anyBody = Type.Record(Type.String(), Type.Any());

const deleteDevice = declare({
  operation: 'deleteDevice',
  method: 'DELETE',
  paths: devicePaths,
  auth: 'user',
  runsOn,
  summary: 'Removes a device and ends its session',
  source: 'CS 1.19, deleteDevice',
  body: anyBody,
  bodyMode: 'optional',
  handle: ({ params, body, requester, request }, services) =>
    remove(services, requester, request, body, [params['deviceId']!]),
});

const deleteDevices = declare({
  operation: 'deleteDevices',
  method: 'POST',
  paths: clientPaths('/delete_devices'),
  auth: 'user',
  runsOn,
  summary: 'Removes devices and ends their sessions',
  source: 'CS 1.19, deleteDevices',
  body: Type.Intersect([Type.Object({ devices: Type.Array(Type.String()) }), anyBody]),
  handle: ({ body, requester, request }, services) =>
    remove(services, requester, request, body, body.devices),
});

export const deviceEndpoints = [getDevices, getDevice, updateDevice, deleteDevice, deleteDevices];
