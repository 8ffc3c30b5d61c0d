import type { Queryable } from '../database/database.ts';
import type { Questions } from '../federation-client/questions.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { RoomServices } from '../rooms/module.ts';
import { getSpaceHierarchy, getSpaceHierarchyForAdmins } from './endpoints/hierarchy.ts';
import { getSpaceHierarchyForServers } from './endpoints/hierarchy-for-servers.ts';
import { getMutualRooms } from './endpoints/mutual-rooms.ts';
import { getRoomSummary } from './endpoints/room-summary.ts';
import { createRemoteRooms } from './remote-rooms.ts';
import { createSpaceStore } from './store/spaces.ts';

export interface SpacesNeeds {
  database: Queryable;
  rooms: RoomServices;
  /** To servers that are in rooms which this one is not in. */
  questions: Questions;
}

/** Spaces, summaries of rooms, and rooms that two users share. */
export function createSpaces({ database, rooms, questions }: SpacesNeeds): {
  endpoints: Endpoint[];
} {
  const store = createSpaceStore(database);
  const { config, clock } = rooms;
  const remoteRooms = createRemoteRooms(questions, config.serverName);
  return {
    endpoints: bindEndpoints(
      [
        getSpaceHierarchy,
        getSpaceHierarchyForAdmins,
        getSpaceHierarchyForServers,
        getRoomSummary,
        getMutualRooms,
      ],
      { rooms, store, remoteRooms, clock },
    ),
  };
}
