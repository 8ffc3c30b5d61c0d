import type { AccountSubscriber } from '../accounts/module.ts';
import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import { dehydratedDeviceEndpoints } from './endpoints/dehydrated-device.ts';
import type { DehydratedDevicesSurroundings } from './services.ts';
import { createDehydratedDeviceStore } from './store/dehydrated-devices.ts';

export interface DehydratedDevicesNeeds extends DehydratedDevicesSurroundings {
  database: Database;
}

export interface DehydratedDevices {
  endpoints: Endpoint[];
  accountEvents: AccountSubscriber;
}

/** Devices that users leave behind, without a session, to collect keys for them. */
export function createDehydratedDevices(needs: DehydratedDevicesNeeds): DehydratedDevices {
  const store = createDehydratedDeviceStore(needs.database);
  return {
    endpoints: bindEndpoints(dehydratedDeviceEndpoints, { ...needs, store }),
    accountEvents: {
      async devicesDeleted({ userNid }, devices) {
        const nids = devices.map(({ deviceNid }) => deviceNid);
        await store.delete(userNid, nids);
      },
    },
  };
}
