import type { RoomServices } from '../rooms/module.ts';
import type { Jobs } from './jobs.ts';
import type { JobStore } from './store/jobs.ts';
import type { RoomDetailStore } from './store/room-details.ts';
import type { RoomListStore } from './store/room-list.ts';
import type { StatisticsStore } from './store/statistics.ts';

/** A user of this server. */
export interface LocalUser {
  userId: string;
  userNid: number;
}

/** What the endpoints for admins are made of. */
export interface RoomAdminServices {
  rooms: RoomServices;
  list: RoomListStore;
  details: RoomDetailStore;
  statistics: StatisticsStore;
  jobs: Jobs;
  jobRows: JobStore;
  /** Throws M_INVALID_PARAM, M_NOT_FOUND. */
  localUser(userId: string): Promise<LocalUser>;
}

/** What all of them have in common. */
export const shared = {
  auth: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
} as const;
