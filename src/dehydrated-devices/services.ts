import { MatrixError } from '../kernel/errors.ts';
import type { Keys } from '../keys/module.ts';
import type { ToDevice } from '../to-device/module.ts';
import type { DehydratedDevice, DehydratedDeviceStore } from './store/dehydrated-devices.ts';

export interface UserRef {
  userNid: number;
  userId: string;
}

/** What this domain asks of others. */
export interface DehydratedDevicesSurroundings {
  /** Devices without a session, which accounts keep. */
  devices: {
    /** The device's number; null: there is such a device already. */
    createDehydrated(
      user: UserRef,
      deviceId: string,
      displayName: string | null,
    ): Promise<number | null>;
    delete(user: UserRef, deviceIds: readonly string[]): Promise<void>;
  };
  uploadKeys: Keys['upload'];
  waitingMessages: ToDevice['waiting'];
  /** The position up to which every durable row is known here. */
  position(): number;
}

export interface DehydratedDevicesServices extends DehydratedDevicesSurroundings {
  store: DehydratedDeviceStore;
}

/** The user's dehydrated device. Throws M_NOT_FOUND. */
export async function deviceOf(
  { store }: DehydratedDevicesServices,
  userNid: number,
): Promise<DehydratedDevice> {
  const device = await store.of(userNid);
  if (!device) throw new MatrixError('M_NOT_FOUND', 'No dehydrated device available');
  return device;
}
