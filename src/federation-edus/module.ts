import type { Queryable } from '../database/database.ts';
import type { RemoteLists } from '../keys/module.ts';
import type { PresenceModule } from '../presence/module.ts';
import type { Receipts } from '../receipts/module.ts';
import type { ServerAcls } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import type { Typing } from '../typing/module.ts';
import { createDeviceListHandler, createSigningKeyHandler } from './device-lists.ts';
import { createDirectToDevice, type DirectToDeviceNeeds } from './direct-to-device.ts';
import { createEarlyPresence } from './early-presence.ts';
import { createPresenceHandler } from './presence.ts';
import type { EduHandler } from './reading.ts';
import { createReceiptHandler } from './receipts.ts';
import { createJoinedUsers } from './rooms-of-users.ts';
import { createRemoteUserStore } from './store/remote-users.ts';
import { createTypingHandler } from './typing.ts';

export type { EduHandler } from './reading.ts';

export interface EduNeeds extends DirectToDeviceNeeds {
  database: Queryable;
  bus: Bus;
  serverAcls: Pick<ServerAcls, 'allows'>;
  typing: Pick<Typing, 'receive'>;
  receipts: Pick<Receipts, 'receive'>;
  presence: Pick<PresenceModule, 'receive'>;
  remoteLists: RemoteLists;
}

/** Handlers by `edu_type`; for types without one there is nothing to be done. */
export type EduHandlers = ReadonlyMap<string, EduHandler>;

/** What is done with the ephemeral data units of other servers (server-server spec, "EDUs"). */
export function createEduHandlers(needs: EduNeeds): EduHandlers {
  const { bus, clock, serverAcls, typing, receipts, remoteLists } = needs;
  const { receive: receivePresence } = needs.presence;
  const early = createEarlyPresence({ bus, clock, receive: receivePresence });
  const users = createRemoteUserStore(needs.database);
  const joinedUsers = createJoinedUsers({ users, serverAcls });
  const signingKeys = createSigningKeyHandler(remoteLists);
  return new Map([
    ['m.direct_to_device', createDirectToDevice(needs)],
    ['m.typing', createTypingHandler(joinedUsers, typing.receive)],
    ['m.receipt', createReceiptHandler(joinedUsers, receipts.receive, clock)],
    ['m.presence', createPresenceHandler(users, receivePresence, early, clock)],
    ['m.device_list_update', createDeviceListHandler(remoteLists)],
    ['m.signing_key_update', signingKeys],
    // Its name before it was part of the specification (MSC1756), which servers still use.
    ['org.matrix.signing_key_update', signingKeys],
  ]);
}
