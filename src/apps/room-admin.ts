import type { Accounts } from '../accounts/module.ts';
import type { FederationSender } from '../federation-sender/module.ts';
import { createRoomAdmin, type RoomAdmin } from '../room-admin/module.ts';
import type { RoomServices } from '../rooms/module.ts';
import type { Foundation } from './domains.ts';

/** What admins do with rooms. */
export function assembleRoomAdmin(
  { config, database, bus, roles, log }: Foundation,
  accounts: Accounts,
  rooms: RoomServices,
  sender: () => FederationSender,
): RoomAdmin {
  return createRoomAdmin({
    config: config.rooms,
    database,
    bus,
    roles,
    log,
    rooms,
    localUser: (userId) => accounts.services.moderation.localAccount(userId),
    areTold: (...args) => sender().areTold(...args),
  });
}
