import type { Config } from '../config/config.ts';
import { knownRoomVersions, proposedRoomVersions } from '../matrix/room-versions.ts';

/** What clients are told of the versions of rooms. */
export const roomVersionsOf = (config: Config) => ({
  default: config.rooms.defaultRoomVersion,
  available: Object.fromEntries([
    ...knownRoomVersions.map((id) => [id, 'stable'] as const),
    ...proposedRoomVersions.map((id) => [id, 'unstable'] as const),
  ]),
});
