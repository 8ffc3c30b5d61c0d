import { avatarsAmong } from '../accounts/module.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import { createMediaRepository, type MediaRepository } from '../media/module.ts';
import { createOutboundHttp } from '../outbound/outbound-http.ts';
import { createNamedMedia, type Interned } from '../rooms/module.ts';
import type { Foundation } from './domains.ts';

/** The media repository, and what it asks of rooms, accounts and other servers. */
export function assembleMedia(
  foundation: Foundation,
  interned: Interned,
  federation: FederationClient,
): MediaRepository {
  const { config, database, clock, bus, roles, log } = foundation;
  const named = createNamedMedia(database);
  const http = createOutboundHttp(config.federation);
  const repository = createMediaRepository({
    config: config.media,
    previews: config.previews,
    userAgent: config.outbound.userAgent,
    otherServers: { federation, http },
    database,
    clock,
    bus,
    roles,
    log,
    surroundings: {
      contentsIn: named.contentsIn,
      async avatarsAmong(uris) {
        const found = [avatarsAmong(database, uris), named.avatarsAmong(uris)];
        const [ofUsers, ofRooms] = await Promise.all(found);
        return new Set([...ofUsers!, ...ofRooms!]);
      },
      userNidOf: (userId) => interned.find(userId),
      userIdOf: (userNid) => interned.userId(userNid),
    },
  });
  return {
    ...repository,
    close() {
      repository.close();
      http.close();
    },
  };
}
