import { createRoomServers } from '../rooms/room-servers.ts';
import { createServerAcls } from '../rooms/server-acls.ts';
import { createStateStore } from '../rooms/store/read-state.ts';
import { createTimelineStore } from '../rooms/store/read-timeline.ts';
import { createRoomServerStore } from '../rooms/store/room-servers.ts';
import type { RoomsConfig } from '../rooms/module.ts';
import type { TestRooms } from '../rooms/writer/test-twin-room.ts';
import { systemClock } from '../kernel/clock.ts';
import { createFederationRooms, type FederationRooms } from './module.ts';

/** What other servers read of rooms without a server around them; `erased`: users by number. */
export function readingOf(
  { database, bus }: TestRooms,
  erased: ReadonlySet<number> = new Set(),
): FederationRooms {
  return createFederationRooms({
    events: database,
    rooms: {
      clock: systemClock,
      config: { serverName: 'x' } as RoomsConfig,
      servers: createRoomServers(createRoomServerStore(database), bus),
      // Of what can be joined; see the endpoint's own tests.
      members: {} as never,
      states: {} as never,
      foreign: {} as never,
      serverAcls: createServerAcls(createStateStore(database), bus),
      timeline: createTimelineStore(database),
      erasedAmong: async (nids) => new Set(nids.filter((nid) => erased.has(nid))),
    },
  });
}
