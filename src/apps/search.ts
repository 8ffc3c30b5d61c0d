import type { AccountDataModule } from '../account-data/module.ts';
import type { Queryable } from '../database/database.ts';
import type { RoomServices } from '../rooms/module.ts';
import { createSearch } from '../search/module.ts';
import type { Foundation } from './domains.ts';

/** Search in messages. `events`: gives events with their names. */
export const assembleSearch = (
  { config, database, bus }: Foundation,
  events: Queryable,
  rooms: RoomServices,
  { data }: AccountDataModule,
) =>
  createSearch({
    database,
    events,
    bus,
    rooms,
    ignoredUsers: (userNid) => data.ignoredUsers(userNid),
    isEnabled: config.search.isEnabled,
  });
