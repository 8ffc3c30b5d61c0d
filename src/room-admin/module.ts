import type { Roles } from '../cluster/role.ts';
import { ownLane, type Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Log } from '../kernel/log.ts';
import type { RoomServices } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import { deleteRoom, purgeForgotten } from './delete-room.ts';
import { blockingEndpoints } from './endpoints/blocking.ts';
import { deletionEndpoints } from './endpoints/deletion.ts';
import { powerEndpoints } from './endpoints/powers.ts';
import { purgeHistoryEndpoints } from './endpoints/purge-history.ts';
import { readingEndpoints } from './endpoints/reading.ts';
import { roomEndpoints } from './endpoints/rooms.ts';
import { statisticsEndpoints } from './endpoints/statistics.ts';
import { createJobs } from './jobs.ts';
import type { LocalUser } from './needs.ts';
import { purgeHistory, purgeRows } from './purge.ts';
import { createRetentionSweep, type RetentionConfig } from './retention.ts';
import { createJobStore } from './store/jobs.ts';
import { createHistoryPurgeStore } from './store/purge-history.ts';
import { createRoomPurgeStore } from './store/purge-room.ts';
import { createRoomDetailStore } from './store/room-details.ts';
import { createRoomListStore } from './store/room-list.ts';
import { createStatisticsStore } from './store/statistics.ts';

export type { RetentionConfig } from './retention.ts';

export interface RoomAdminConfig {
  /** How long rooms are kept that all have forgotten, in milliseconds; null: for good. [forgotten_room_retention_period] */
  forgottenKeptMs: number | null;
  /** [retention]; null: it is off. */
  retention: RetentionConfig | null;
}

export interface RoomAdminNeeds {
  config: RoomAdminConfig;
  database: Database;
  bus: Bus;
  roles: Roles;
  log: Log;
  rooms: RoomServices;
  /** A user of this server. Throws M_INVALID_PARAM, M_NOT_FOUND. */
  localUser(userId: string): Promise<LocalUser>;
  /** Whether those of the servers that can be reached have what came up to a position. */
  areTold(serverNames: readonly string[], pos: number): Promise<boolean>;
}

export interface RoomAdmin {
  endpoints: Endpoint[];
  /** As in RoomsEnvironment. */
  forgotten(room: { roomId: string; roomNid: number }): Promise<void>;
  /** Begins what is due and forgets what is over; for one process, every minute or so. */
  tidy(): Promise<void>;
  stop(): Promise<void>;
}

/** How long it is known what became of jobs, and of rooms that were deleted. */
const keptMs = 24 * 60 * 60 * 1000;
/** Deleted rooms that are looked at once more at a time. */
const sweptAtOnce = 20;

/** What admins do with rooms: looking into them, keeping people out, deleting them and what is old. */
export function createRoomAdmin(needs: RoomAdminNeeds): RoomAdmin {
  const { config, database, bus, roles, log, rooms } = needs;
  const { clock } = rooms;
  const store = createJobStore(database);
  // What takes long has connections of its own: other reads would wait behind it.
  const purging = ownLane(database, 'room purges');
  const listing = ownLane(database, 'room lists');
  const roomRows = createRoomPurgeStore(purging);
  const history = createHistoryPurgeStore(purging);
  const parts = { rooms, log, areTold: needs.areTold, roomRows, history };
  const jobs = createJobs({
    store,
    work: {
      delete: (task) => deleteRoom(parts, task),
      purge_forgotten: (task) => purgeForgotten(parts, task),
      purge_history: (task) => purgeHistory(parts, task),
    },
    roles,
    bus,
    clock,
    log,
  });
  const list = createRoomListStore(listing);
  const sweepRetention = createRetentionSweep({ config: config.retention, store, jobs, clock });

  /** What was written to a room while it was being deleted goes before the room is forgotten. */
  async function sweepRemoved(): Promise<void> {
    const old = await rooms.removed.purgedBefore(clock.now() - keptMs, sweptAtOnce);
    for (const { roomNid } of old) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await purgeRows({ roomRows }, roomNid, () => undefined);
    }
    await rooms.removed.forget(old.map(({ roomNid }) => roomNid));
  }

  return {
    endpoints: bindEndpoints(
      [
        ...roomEndpoints,
        ...readingEndpoints,
        ...blockingEndpoints,
        ...deletionEndpoints,
        ...powerEndpoints,
        ...purgeHistoryEndpoints,
        ...statisticsEndpoints,
      ],
      {
        rooms,
        list,
        details: createRoomDetailStore(database),
        statistics: createStatisticsStore(listing),
        jobs,
        jobRows: store,
        localUser: needs.localUser,
      },
    ),
    async forgotten({ roomId, roomNid }) {
      const { forgottenKeptMs } = config;
      if (forgottenKeptMs === null) return;
      if (!(await rooms.members.isForgottenByAll(roomNid))) return;
      await jobs.addLater('purge_forgotten', roomId, clock.now() + forgottenKeptMs);
    },
    async tidy() {
      await sweepRetention();
      // So that who asks for a list finds it prepared.
      await list.takeIn(bus.position());
      await sweepRemoved();
      await store.forgetEnded(clock.now() - keptMs);
    },
    stop: () => jobs.stop(),
  };
}
