import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** A user's dehydrated device; `deviceData` is JSON text. */
export interface DehydratedDevice {
  deviceNid: number;
  deviceId: string;
  deviceData: string;
}

const columns = `device_nid as "deviceNid", device_id as "deviceId", device_data as "deviceData"`;

const selectDevice = statement<[userNid: number], DehydratedDevice>(
  'dehydrated_devices.select',
  `select ${columns} from dehydrated_devices where user_nid = $1`,
);

/** Gives the id of the one before it, if there was one. */
const replaceDevice = statement<
  [userNid: number, deviceNid: number, deviceId: string, deviceData: string],
  { deviceId: string | null }
>(
  'dehydrated_devices.replace',
  `with before as (
     select device_id from dehydrated_devices where user_nid = $1 for update),
   written as (
     insert into dehydrated_devices as d (user_nid, device_nid, device_id, device_data)
       values ($1, $2, $3, $4)
     on conflict (user_nid) do update set device_nid = excluded.device_nid,
       device_id = excluded.device_id, device_data = excluded.device_data)
   select (select device_id from before) as "deviceId"`,
);

const deleteDevices = statement<[userNid: number, deviceNids: readonly number[]], never>(
  'dehydrated_devices.delete',
  'delete from dehydrated_devices where user_nid = $1 and device_nid = any($2::bigint[])',
);

export function createDehydratedDeviceStore(database: Queryable) {
  return {
    async of(userNid: number): Promise<DehydratedDevice | null> {
      return (await database.query(selectDevice, [userNid]))[0] ?? null;
    },
    /** The user has one at a time. Gives the id of the one before it, or null. */
    async replace(userNid: number, device: DehydratedDevice): Promise<string | null> {
      const { deviceNid, deviceId, deviceData } = device;
      const params = [userNid, deviceNid, deviceId, deviceData] as const;
      return (await database.query(replaceDevice, [...params]))[0]!.deviceId;
    },
    delete: (userNid: number, deviceNids: readonly number[]) =>
      database.query(deleteDevices, [userNid, deviceNids]),
  };
}

export type DehydratedDeviceStore = ReturnType<typeof createDehydratedDeviceStore>;
