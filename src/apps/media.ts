import { avatarsAmong } from '../accounts/module.ts';
import { createMediaRepository, type MediaRepository } from '../media/module.ts';
import { createNamedMedia, type Interned } from '../rooms/module.ts';
import type { Foundation } from './domains.ts';

/** The media repository, and what it asks of rooms and accounts. */
export function assembleMedia(foundation: Foundation, interned: Interned): MediaRepository {
  const { config, database, clock, bus, roles, log } = foundation;
  const named = createNamedMedia(database);
  return createMediaRepository({
    config: config.media,
    previews: config.previews,
    userAgent: config.outbound.userAgent,
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
}
