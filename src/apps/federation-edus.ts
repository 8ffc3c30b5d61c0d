import { createEduHandlers, type EduHandlers } from '../federation-edus/module.ts';
import type { PresenceModule } from '../presence/module.ts';
import type { Receipts } from '../receipts/module.ts';
import type { Interned, RoomServices } from '../rooms/module.ts';
import type { Typing } from '../typing/module.ts';
import type { Foundation } from './domains.ts';
import type { Encryption } from './encryption.ts';

export interface FederationEduParts {
  interned: Interned;
  rooms: { services: RoomServices };
  typing: Typing;
  receipts: Receipts;
  presence: PresenceModule;
  encryption: Encryption;
}

/** What is done with the ephemeral data units that other servers send, by their type. */
export function assembleFederationEdus(
  { config, database, bus, clock }: Foundation,
  { interned, rooms, typing, receipts, presence, encryption }: FederationEduParts,
): EduHandlers {
  return createEduHandlers({
    serverName: config.serverName,
    database,
    bus,
    clock,
    serverAcls: rooms.services.serverAcls,
    userNidsOf: interned.findAll,
    deliver: encryption.toDevice.deliver,
    typing,
    receipts,
    presence,
    remoteLists: encryption.keys.remoteLists,
  });
}
