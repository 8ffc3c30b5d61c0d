import type { Accounts } from '../accounts/module.ts';
import { createAppserviceSender } from '../appservice-sender/module.ts';
import { createAppserviceClient } from '../appservices/client.ts';
import { createAppservices } from '../appservices/module.ts';
import { createAppserviceQueries } from '../appservices/queries.ts';
import { isInterestedInUser } from '../appservices/registrations.ts';
import type { Queryable } from '../database/database.ts';
import type { Keys } from '../keys/module.ts';
import { createOutboundHttp } from '../outbound/outbound-http.ts';
import type { Interned, RoomServices } from '../rooms/module.ts';
import { createThirdParty } from '../third-party/module.ts';
import type { ToDevice } from '../to-device/module.ts';
import type { Foundation } from './domains.ts';

interface SenderParts {
  /** The database with names put in. */
  events: Queryable;
  interned: Interned;
  rooms: RoomServices;
  keys: Keys;
  toDevice: ToDevice;
}

/** What is asked of application services, and what they are sent. */
export function assembleAppservices(foundation: Foundation, others: { accounts(): Accounts }) {
  const { config, appservices: registrations, log, clock } = foundation;
  // Where services are, the admin has said.
  const outbound = createOutboundHttp({ ...config.outbound, deny: [] });
  const tokenInQuery = config.appserviceTokenInQuery;
  const client = createAppserviceClient({ outbound, tokenInQuery });
  const queries = createAppserviceQueries({ client, registrations, log });
  return {
    hasUser: queries.hasUser,
    aliases: { registrations, hasAlias: queries.hasAlias },
    senders: () => registrations.all.map(({ sender }) => sender),
    /** A user of this server is about to be invited. */
    async expect(userId: string): Promise<void> {
      if (!registrations.all.some((service) => isInterestedInUser(service, userId))) return;
      const known = await others.accounts().services.directory.byUserId(userId);
      if (!known) await queries.hasUser(userId);
    },
    start({ rooms, ...parts }: SenderParts) {
      const sender = createAppserviceSender({
        ...foundation,
        ...parts,
        registrations,
        client,
        joinedRooms: rooms.joinedRooms,
        // In a set the roles know who may.
        isEnabled: config.workers.app !== null || !config.workers.leftByMain.has('appservice'),
      });
      return {
        endpoints: [
          ...createThirdParty({ registrations, client, clock, log }).endpoints,
          ...createAppservices({ registrations, outbound, clock, answers: sender.answers })
            .endpoints,
        ],
        async stop(): Promise<void> {
          await sender.stop();
          outbound.close();
        },
      };
    },
  };
}
