import type { AccountSubscriber } from '../accounts/module.ts';
import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Log } from '../kernel/log.ts';
import type { Bus } from '../streams/bus.ts';
import type { UserDirectoryConfig } from './config.ts';
import { searchUserDirectory } from './endpoints/search.ts';
import { createFollower, type Follower } from './follower.ts';
import { directoryWorkStream } from './streams.ts';

export type { UserDirectoryConfig } from './config.ts';
export type { Follower } from './follower.ts';

export interface UserDirectoryNeeds {
  database: Database;
  bus: Bus;
  log: Log;
  config: UserDirectoryConfig;
  /** Senders of application services. */
  excludedUserIds: readonly string[];
}

export interface UserDirectory extends Pick<Follower, 'catchUp' | 'start' | 'stop'> {
  endpoints: Endpoint[];
  /** What happens to accounts: passes on that there is work. */
  accountEvents: AccountSubscriber;
}

/**
 * The user directory. `start` is for the process that holds the role `user_directory`; if two
 * run, they take turns.
 */
export function createUserDirectory(needs: UserDirectoryNeeds): UserDirectory {
  const { database, bus, config, excludedUserIds } = needs;
  const follower = createFollower(needs);
  const tell = async ({ userNid }: { userNid: number }) => {
    const pos = bus.nextEphemeral();
    bus.publish([{ stream: directoryWorkStream, pos, row: { userNid } }]);
  };
  const found = { database, config, follower, excludedUserIds };
  return {
    endpoints: bindEndpoints([searchUserDirectory], found),
    catchUp: () => follower.catchUp(),
    start: () => follower.start(),
    stop: () => follower.stop(),
    accountEvents: { registered: tell, deactivated: tell, profileChanged: tell },
  };
}
