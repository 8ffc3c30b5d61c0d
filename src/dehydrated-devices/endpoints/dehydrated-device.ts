import { Type } from 'typebox';
import { endpoint, JsonText } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { uploadBody } from '../../keys/module.ts';
import { deviceOf, type DehydratedDevicesServices } from '../services.ts';

const declare = endpoint<DehydratedDevicesServices>();
const runsOn = { group: 'client', balance: 'user' } as const;
const source = 'MSC3814';
const path = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device';
const deviceIdAnswer = { 200: Type.Object({ device_id: Type.String() }) };

const putDevice = declare({
  operation: 'putDehydratedDevice',
  method: 'PUT',
  paths: [path],
  auth: 'user',
  runsOn,
  summary: 'Leaves a device behind that collects keys; it takes the place of the one before it',
  source,
  body: Type.Intersect([
    Type.Object({
      device_id: Type.String({ minLength: 1 }),
      device_data: Type.Object({ algorithm: Type.String() }),
      initial_device_display_name: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    }),
    uploadBody,
  ]),
  answers: deviceIdAnswer,
  errors: ['M_BAD_JSON', 'M_MISSING_PARAM', 'M_INVALID_PARAM'],
  async handle({ body, requester }, services) {
    const { store, devices, uploadKeys } = services;
    const { userNid, userId } = requester;
    if (!body.device_keys) throw new MatrixError('M_MISSING_PARAM', 'Missing key: device_keys');
    const user = { userNid, userId };
    const deviceId = body.device_id;
    const before = await store.of(userNid);
    if (before?.deviceId === deviceId) await devices.delete(user, [deviceId]);
    const name = body.initial_device_display_name ?? null;
    const deviceNid = await devices.createDehydrated(user, deviceId, name);
    if (deviceNid === null) {
      throw new MatrixError('M_INVALID_PARAM', `There is a device ${deviceId} with a session`);
    }
    try {
      await uploadKeys({ ...user, deviceNid, deviceId }, body);
    } catch (error) {
      await devices.delete(user, [deviceId]);
      throw error;
    }
    const deviceData = JSON.stringify(body.device_data);
    const replaced = await store.replace(userNid, { deviceNid, deviceId, deviceData });
    if (replaced !== null && replaced !== deviceId) await devices.delete(user, [replaced]);
    return { device_id: deviceId };
  },
});

const getDevice = declare({
  operation: 'getDehydratedDevice',
  method: 'GET',
  paths: [path],
  auth: 'user',
  runsOn,
  summary: "The user's dehydrated device",
  source,
  errors: ['M_NOT_FOUND'],
  async handle({ requester }, services) {
    const { deviceId, deviceData } = await deviceOf(services, requester.userNid);
    return new JsonText(`{"device_id":${JSON.stringify(deviceId)},"device_data":${deviceData}}`);
  },
});

const deleteDevice = declare({
  operation: 'deleteDehydratedDevice',
  method: 'DELETE',
  paths: [path],
  auth: 'user',
  runsOn,
  summary: "Removes the user's dehydrated device",
  source,
  bodyMode: 'none',
  answers: deviceIdAnswer,
  errors: ['M_NOT_FOUND'],
  async handle({ requester }, services) {
    const { deviceId } = await deviceOf(services, requester.userNid);
    await services.devices.delete(requester, [deviceId]);
    return { device_id: deviceId };
  },
});

const limitDefault = 100;
const limitMax = 1_000;

/** The position in `next_batch`. Throws M_INVALID_PARAM. */
function positionIn(token: string | undefined): number {
  if (token === undefined) return 0;
  const position = /^d(\d{1,15})$/.exec(token)?.[1];
  if (position === undefined) {
    throw new MatrixError('M_INVALID_PARAM', 'next_batch is not a token of this endpoint');
  }
  return Number(position);
}

const getEvents = declare({
  operation: 'getDehydratedDeviceEvents',
  method: 'POST',
  paths: [`${path}/:deviceId/events`],
  auth: 'user',
  runsOn: { group: 'to_device', balance: 'user' },
  summary: 'What was sent to the dehydrated device',
  source,
  params: Type.Object({ deviceId: Type.String() }),
  query: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1 })) }),
  body: Type.Object({ next_batch: Type.Optional(Type.String()) }),
  bodyMode: 'optional',
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
  async handle({ params, query, body, requester }, services) {
    const { userNid } = requester;
    const device = await services.store.of(userNid);
    if (device?.deviceId !== params.deviceId) {
      throw new MatrixError('M_FORBIDDEN', 'This is not your dehydrated device');
    }
    const after = positionIn(body.next_batch);
    const upto = services.position();
    const limit = Math.min(query.limit ?? limitDefault, limitMax);
    const { deviceNid } = device;
    const found = await services.waitingMessages({ userNid, deviceNid }, after, upto, limit + 1);
    const messages = found.slice(0, limit);
    const isLimited = found.length > limit;
    const next = isLimited ? messages.at(-1)!.pos : Math.max(upto, after);
    const events = messages.map(({ message }) => message).join(',');
    return new JsonText(`{"events":[${events}],"next_batch":"d${next}","limited":${isLimited}}`);
  },
});

export const dehydratedDeviceEndpoints = [putDevice, getDevice, deleteDevice, getEvents];
