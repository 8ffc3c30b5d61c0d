import type { RemoteLists } from '../keys/module.ts';
import { ownUserIn, type EduHandler } from './reading.ts';

/** `m.device_list_update`: a device of a user of another server is new, another one, or gone. */
export const createDeviceListHandler =
  ({ changeDevice }: RemoteLists): EduHandler =>
  async (origin, content) => {
    const userId = ownUserIn(content['user_id'], origin);
    if (userId !== null) await changeDevice(userId, content);
  };

/** `m.signing_key_update`: a user of another server has other cross-signing keys. */
export const createSigningKeyHandler =
  ({ changeKeys }: RemoteLists): EduHandler =>
  async (origin, content) => {
    const userId = ownUserIn(content['user_id'], origin);
    if (userId !== null) await changeKeys(userId, content);
  };
