import type { Queryable } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { RoomServices } from '../rooms/module.ts';
import { getSpaceHierarchy } from './endpoints/hierarchy.ts';
import { getSpaceHierarchyForServers } from './endpoints/hierarchy-for-servers.ts';
import { getMutualRooms } from './endpoints/mutual-rooms.ts';
import { getRoomSummary } from './endpoints/room-summary.ts';
import { createSpaceStore } from './store/spaces.ts';

/** Spaces, summaries of rooms, and rooms that two users share. */
export function createSpaces(needs: { database: Queryable; rooms: RoomServices }): {
  endpoints: Endpoint[];
} {
  const { database, rooms } = needs;
  const store = createSpaceStore(database);
  return {
    endpoints: bindEndpoints(
      [getSpaceHierarchy, getSpaceHierarchyForServers, getRoomSummary, getMutualRooms],
      { rooms, store },
    ),
  };
}
